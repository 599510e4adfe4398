//! Text for runs.

use orch_contract::orch::run::{
    RunListResponse, RunRemoveResponse, RunRepairResponse, RunResponse, RunShowResponse, RunSyncResponse,
    RunUseResponse,
};
use orch_contract::run::{RunLandingView, RunPauseView, RunProgress, RunSummary};
use orch_contract::{RunView, WireWord};
use orch_core::escape;
use orch_core::run::{LandingManner, RunOutcome, RunStatus};
use orch_core::shell;
use orch_core::time::TimeSpan;

use super::clean::write_removal;
use super::judgement::{write_check, write_resolving_task};
use super::status::write_next_commands;
use super::task::{TaskLine, write_changed_task, write_task_table};
use super::{counted_noun, state};
use crate::time::fine_span;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

/// Writes a run's name, title, state and the reason of a pause.
pub(super) fn write_run_header(
    paper: &mut TextPage,
    id: &str,
    title: &str,
    now: (WireWord<RunStatus>, Option<WireWord<RunOutcome>>),
    pause: Option<&RunPauseView>,
) {
    let paint = paper.painter();
    let outcome = now.1.map(|word| word.0);
    let words = paint.paint_text(state::run_tone(now.0.0, outcome), &state::run_state_text(now.0.0, outcome));
    paper.write_line(format!(
        "{}  {words}  {}",
        paint.paint_text(TextTone::Strong, id),
        escape_controls(title)
    ));
    if let Some(pause) = pause {
        let why = pause.message.as_deref().map(|message| format!(": {}", escape_controls(message)));
        paper.write_note(&format!("  paused {}{}", paper.relative_time(pause.at), why.unwrap_or_default()));
        for next in &pause.next {
            paper.write_note(&format!("    {}", escape_controls(next)));
        }
    }
}

/// Writes the last landing of a run, if it has landed.
pub(super) fn write_landing(paper: &mut TextPage, landed: Option<&RunLandingView>) {
    let Some(landed) = landed else { return };
    let commit = &landed.commit[..landed.commit.len().min(10)];
    let part = if landed.complete { "" } else { " in part" };
    let line = format!(
        "  landed{part} on {} at {commit}, {} by {}",
        escape_controls(&landed.branch),
        paper.relative_time(landed.at),
        escape_controls(&landed.by)
    );
    paper.write_note(&line);
    if let Some(reason) = &landed.reason {
        let what = match landed.manner.0 {
            LandingManner::Checked | LandingManner::Unverified => "without checks",
            LandingManner::Pushed => "with other files than a merge makes",
        };
        let text = format!("  {what}: {}", escape_controls(reason));
        paper.write_line(paper.painter().paint_text(TextTone::Attention, &text));
    }
}

/// Draws a progress bar: `[████░░░░] 3 of 8 done`.
pub(super) fn progress_bar(paper: &TextPage, progress: RunProgress) -> String {
    const WIDTH: i64 = 24;
    let filled = if progress.total > 0 { progress.done * WIDTH / progress.total } else { 0 };
    let part = |glyph: &str, count: i64| glyph.repeat(usize::try_from(count).unwrap_or(0));
    let paint = paper.painter();
    format!(
        "{}{} {} of {} done",
        paint.paint_text(TextTone::Good, &part("█", filled)),
        paint.paint_text(TextTone::Faint, &part("░", WIDTH - filled)),
        progress.done,
        progress.total
    )
}

/// Writes a run with its policy.
fn write_full_run(paper: &mut TextPage, run: &RunView) {
    write_run_header(paper, &run.id, &run.title, (run.state, run.outcome), run.pause.as_ref());
    write_landing(paper, run.landed.as_ref());
    if let Some(goal) = &run.goal {
        paper.write_block(goal, 2);
    }
    let mut facts = vec![format!("done when {}", run.done_when)];
    if let Some(max) = run.max_active {
        facts.push(format!("at most {max} at once"));
    }
    facts.push(counted_noun(run.max_attempts, "try", "tries"));
    facts.push(format!("retry delay {}", fine_span(TimeSpan(run.retry_delay_ms))));
    facts.push(format!("lease {}", fine_span(TimeSpan(run.lease_ms))));
    if let Some(after) = run.answer_after_ms {
        facts.push(format!("default answers after {}", fine_span(TimeSpan(after))));
    }
    paper.write_note(&format!("  {}", facts.join(", ")));
    let times = format!(
        "  made {}, changed {}",
        paper.relative_time(run.created_at),
        paper.relative_time(run.updated_at)
    );
    paper.write_note(&times);
}

impl HumanReadable for RunResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_full_run(paper, &self.run);
        if !self.defaults.is_empty() {
            paper.write_note(&format!("From orch.toml: {}.", self.defaults.join(", ")));
        }
    }
}

impl HumanReadable for RunRepairResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_full_run(paper, &self.run);
        let branch = self.run.branch.as_deref().unwrap_or_default();
        paper.write_line(format!("Branch {} is at {}.", escape_controls(branch), self.commit));
        if !self.unmerged.is_empty() {
            let named = escape::join_names(self.unmerged.iter().map(String::as_str));
            paper.write_line(format!("Not on the branch, to be merged again: {named}."));
            paper.write_note(&format!("  orch integrate {}", self.run.id));
        }
    }
}

impl HumanReadable for RunSyncResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let branch = escape_controls(self.run.branch.as_deref().unwrap_or_default()).into_owned();
        let (from, commit) = (escape_controls(&self.from), &self.commit);
        if let Some(task) = &self.task {
            write_resolving_task(paper, task, &self.paths);
        } else if self.changed {
            paper.write_line(format!("Merged {from} into {branch}, which is now at {commit}."));
        } else {
            paper.write_line(format!("{branch} has {from} already; it is at {commit}."));
        }
        for check in &self.checks {
            write_check(paper, check);
        }
        write_next_commands(paper, &self.next);
    }
}

impl HumanReadable for RunRemoveResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.dry_run {
            write_removal(paper, true, &self.removes, &self.keeps);
            return;
        }
        let run = paper.painter().paint_text(TextTone::Strong, &self.run);
        paper.write_line(format!("Removed run {run} with {}.", counted_noun(self.tasks, "task", "tasks")));
        for reference in self.salvage.iter().take(SALVAGE_SHOWN) {
            paper.write_line(format!("  kept: {}", escape_controls(reference)));
        }
        let rest = self.salvage.len().saturating_sub(SALVAGE_SHOWN);
        if rest > 0 {
            paper.write_note(&format!("  … and {rest} more."));
        }
        if let Some(repository) = self.repository.as_deref().filter(|_| !self.salvage.is_empty()) {
            let words =
                ["git", "-C", repository, "for-each-ref", &format!("refs/orch/salvage/{}/", self.run)];
            paper.write_note(&format!("  {}", escape_controls(&shell::join_words(words))));
        }
    }
}

/// The most references that a page lists.
const SALVAGE_SHOWN: usize = 10;

impl HumanReadable for RunListResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.runs.is_empty() {
            paper.write_line("No runs.");
            paper.write_note("Create one: orch run init TITLE");
            return;
        }
        write_run_table(paper, &self.runs);
        paper.write_truncation(self.runs.len(), self.total, self.next.as_deref());
    }
}

/// Writes a table of runs.
pub(super) fn write_run_table(paper: &mut TextPage, runs: &[RunSummary]) {
    if runs.is_empty() {
        return;
    }
    let mut table = TextTable::new(&["RUN", "STATE", "DONE", "UPDATED", "TITLE"]).with_elastic_column(4);
    for run in runs {
        let outcome = run.outcome.map(|word| word.0);
        table.push_row(vec![
            TableCell::new(&run.id, TextTone::Strong),
            TableCell::new(
                state::run_state_text(run.state.0, outcome),
                state::run_tone(run.state.0, outcome),
            ),
            TableCell::plain(format!("{} of {}", run.progress.done, run.progress.total)),
            TableCell::new(paper.relative_time(run.updated_at), TextTone::Faint),
            TableCell::plain(&run.title),
        ]);
    }
    paper.write_table(&table);
}

impl HumanReadable for RunUseResponse {
    fn render_human(&self, paper: &mut TextPage) {
        match &self.run {
            Some(run) => paper.write_line(format!("Commands in this worktree are about {} now.", run.id)),
            None => paper.write_line("No run is chosen in this worktree."),
        }
    }
}

impl HumanReadable for RunShowResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_full_run(paper, &self.run);
        paper.write_gap();
        if self.total == 0 {
            paper.write_line("No tasks yet.");
            paper.write_note(&format!("Add one: orch task add TITLE --run {}", self.run.id));
            return;
        }
        let counts = state::format_counts(paper, &self.counts);
        paper.write_line(counts);
        paper.write_gap();
        if self.tasks.iter().any(|task| matches!(task, orch_contract::TaskOrSummary::Full(_))) {
            for task in &self.tasks {
                write_changed_task(paper, task);
                paper.write_gap();
            }
        } else {
            write_task_table(paper, self.tasks.iter().map(TaskLine::from));
        }
        paper.write_truncation(self.tasks.len(), self.total, self.next.as_deref());
    }
}
