//! Runs for people.

use orch_contract::orch::run::{RunAnswer, RunShowAnswer, RunsAnswer};
use orch_contract::run::{Pause, Progress};
use orch_contract::{Run, Word};
use orch_core::run::{Outcome, RunStatus};
use orch_core::time::Span;

use super::task::{Line, shown, table};
use super::{counted, state};
use crate::human::time::fine;
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

/// Writes a run's name, title and state, and why it is paused.
pub(super) fn head(
    paper: &mut Paper,
    id: &str,
    title: &str,
    now: (Word<RunStatus>, Option<Word<Outcome>>),
    pause: Option<&Pause>,
) {
    let paint = paper.paint();
    let outcome = now.1.map(|word| word.0);
    let words = paint.text(state::run_tone(now.0.0, outcome), &state::run_words(now.0.0, outcome));
    paper.line(format!("{}  {words}  {}", paint.text(Tone::Strong, id), harmless(title)));
    if let Some(pause) = pause {
        let why = pause.message.as_deref().map(|message| format!(": {}", harmless(message)));
        paper.note(&format!("  paused {}{}", paper.ago(pause.at), why.unwrap_or_default()));
    }
}

/// A bar of the tasks that are done: `[████░░░░] 3 of 8 done`.
pub(super) fn bar(paper: &Paper, progress: Progress) -> String {
    const WIDTH: i64 = 24;
    let filled = if progress.total > 0 { progress.done * WIDTH / progress.total } else { 0 };
    let part = |glyph: &str, count: i64| glyph.repeat(usize::try_from(count).unwrap_or(0));
    let paint = paper.paint();
    format!(
        "{}{} {} of {} done",
        paint.text(Tone::Good, &part("█", filled)),
        paint.text(Tone::Faint, &part("░", WIDTH - filled)),
        progress.done,
        progress.total
    )
}

/// Writes a run with its policy.
fn whole(paper: &mut Paper, run: &Run) {
    head(paper, &run.id, &run.title, (run.state, run.outcome), run.pause.as_ref());
    if let Some(goal) = &run.goal {
        paper.block(goal, 2);
    }
    let mut facts = vec![format!("done when {}", run.done_when)];
    if let Some(max) = run.max_active {
        facts.push(format!("at most {max} at once"));
    }
    facts.push(counted(run.max_attempts, "try", "tries"));
    facts.push(format!("{} before the next", fine(Span(run.retry_delay_ms))));
    facts.push(format!("lease {}", fine(Span(run.lease_ms))));
    if let Some(after) = run.answer_after_ms {
        facts.push(format!("defaults answer after {}", fine(Span(after))));
    }
    paper.note(&format!("  {}", facts.join(", ")));
    let times = format!("  made {}, changed {}", paper.ago(run.created_at), paper.ago(run.updated_at));
    paper.note(&times);
}

impl Human for RunAnswer {
    fn human(&self, paper: &mut Paper) {
        whole(paper, &self.run);
    }
}

impl Human for RunsAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.runs.is_empty() {
            paper.line("No runs.");
            paper.note("Begin one: orch run init TITLE");
            return;
        }
        let mut table = Table::new(&["RUN", "STATE", "DONE", "UPDATED", "TITLE"]).elastic(4);
        for run in &self.runs {
            let outcome = run.outcome.map(|word| word.0);
            table.row(vec![
                Cell::new(&run.id, Tone::Strong),
                Cell::new(state::run_words(run.state.0, outcome), state::run_tone(run.state.0, outcome)),
                Cell::plain(format!("{} of {}", run.progress.done, run.progress.total)),
                Cell::new(paper.ago(run.updated_at), Tone::Faint),
                Cell::plain(&run.title),
            ]);
        }
        paper.table(&table);
        paper.rest(self.runs.len(), self.total, self.next.as_deref());
    }
}

impl Human for RunShowAnswer {
    fn human(&self, paper: &mut Paper) {
        whole(paper, &self.run);
        paper.gap();
        if self.total == 0 {
            paper.line("No tasks yet.");
            paper.note(&format!("Add one: orch task add TITLE --run {}", self.run.id));
            return;
        }
        let counts = state::counts(paper, &self.counts);
        paper.line(counts);
        paper.gap();
        if self.tasks.iter().any(|task| matches!(task, orch_contract::TaskShown::Full(_))) {
            for task in &self.tasks {
                shown(paper, task);
                paper.gap();
            }
        } else {
            table(paper, self.tasks.iter().map(Line::from));
        }
        paper.rest(self.tasks.len(), self.total, self.next.as_deref());
    }
}
