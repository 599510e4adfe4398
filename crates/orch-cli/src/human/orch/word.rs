//! What workers were told, and what moved, for people.

use orch_contract::MessageShown;
use orch_contract::orch::cursor::{AckAnswer, WaitAnswer};
use orch_contract::orch::reconcile::{Change, ReconcileAnswer};
use orch_contract::orch::why::WhyAnswer;
use orch_contract::orch::word_to_worker::{AnswerAnswer, TellAnswer};
use orch_core::task::TaskState;

use super::{counted, events, state};
use crate::human::inbox::messages;
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

impl Human for TellAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Told {} as {}.", self.message.to(), self.message.id()));
        text(paper, &self.message);
    }
}

impl Human for AnswerAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Answered {} as {}; the work goes on.", self.message.to(), self.message.id()));
        text(paper, &self.message);
        super::task::shown(paper, &self.task);
    }
}

fn text(paper: &mut Paper, message: &MessageShown) {
    if let MessageShown::Full(message) = message {
        messages(paper, std::slice::from_ref(message));
    }
}

impl Human for ReconcileAnswer {
    fn human(&self, paper: &mut Paper) {
        let is_quiet = self.finished.is_empty() && self.swept.is_empty() && self.orphans.is_empty();
        if self.changes.is_empty() && is_quiet {
            paper.line("Nothing to do.");
            return;
        }
        if !self.changes.is_empty() {
            steps(paper, &self.changes);
        }
        for one in &self.finished {
            let of = one.attempt.as_deref().unwrap_or(&one.run);
            let (mark, tone) = if one.done { ("✓", Tone::Good) } else { ("!", Tone::Attention) };
            let mark = paper.paint().text(tone, mark);
            let problem = one.problem.as_deref().map(|problem| format!(": {}", harmless(problem)));
            paper.line(format!("{mark} {} of {of}{}", one.kind, problem.unwrap_or_default()));
        }
        for path in &self.swept {
            paper.line(format!("A worktree of no attempt is not needed: {}", harmless(path)));
        }
        if !self.orphans.is_empty() {
            paper.gap();
            let count = counted(self.orphans.len(), "thing", "things");
            paper.line(format!("{count} here the store does not know:"));
        }
        for one in &self.orphans {
            paper.line(format!("  {} {}", one.kind, harmless(&one.name)));
            paper.note(&format!("    {}", harmless(&one.next)));
        }
    }
}

/// The steps that tasks took, as a table.
fn steps(paper: &mut Paper, changes: &[Change]) {
    let mut table = Table::new(&["TASK", "ATTEMPT", "FROM", "TO", "WHY"]).elastic(4);
    for change in changes {
        let cell = |name: &str| TaskState::parse(name).map_or_else(|| Cell::plain(name), state::cell);
        table.row(vec![
            Cell::new(&change.task, Tone::Strong),
            Cell::plain(change.attempt.as_deref().unwrap_or("-")),
            cell(&change.from),
            cell(&change.to),
            Cell::plain(&change.reason),
        ]);
    }
    paper.table(&table);
}

impl Human for WhyAnswer {
    fn human(&self, paper: &mut Paper) {
        let paint = paper.paint();
        let name = paint.text(Tone::Strong, &self.task);
        paper.line(format!("{name}  {}", state::painted(paint, self.state.0)));
        if self.reasons.is_empty() {
            paper.line("It can be dispatched now.");
            paper.note(&format!("  orch dispatch {}", self.task));
        }
        for reason in &self.reasons {
            paper.line(format!("- {}", harmless(&reason.message)));
            if let Some(next) = &reason.next {
                paper.note(&format!("  {}", harmless(next)));
            }
        }
    }
}

impl Human for WaitAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.events.is_empty() {
            paper.line(format!("Nothing happened after {}.", self.cursor));
            return;
        }
        events::lines(paper, &self.events);
        paper.gap();
        let acknowledge = format!(
            "When {} dealt with: orch ack --through {}{}",
            if self.events.len() == 1 { "it is" } else { "they are" },
            self.cursor,
            self.run.as_ref().map(|run| format!(" --run {run}")).unwrap_or_default()
        );
        paper.note(&acknowledge);
    }
}

impl Human for AckAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Acknowledged through {}.", self.cursor));
    }
}
