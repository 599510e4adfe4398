//! Text for notes to workers, answers, and the changes that reconciliation made.

use orch_contract::MessageOrSummary;
use orch_contract::orch::cursor::{EventAckResponse, EventWaitResponse};
use orch_contract::orch::reconcile::{ReconcileResponse, ReconcileStep};
use orch_contract::orch::tell::{AnswerResponse, TellResponse};
use orch_contract::orch::why::WhyResponse;
use orch_core::task::TaskState;

use super::{counted_noun, events, state};
use crate::inbox::write_messages;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

impl HumanReadable for TellResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("Told {} as {}.", self.message.to(), self.message.id()));
        write_message_text(paper, &self.message);
    }
}

impl HumanReadable for AnswerResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!(
            "Answered {} as {}; the work goes on.",
            self.message.to(),
            self.message.id()
        ));
        write_message_text(paper, &self.message);
        super::task::write_changed_task(paper, &self.task);
    }
}

fn write_message_text(paper: &mut TextPage, message: &MessageOrSummary) {
    if let MessageOrSummary::Full(message) = message {
        write_messages(paper, std::slice::from_ref(message));
    }
}

impl HumanReadable for ReconcileResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let is_quiet = self.finished.is_empty()
            && self.swept.is_empty()
            && self.locks.is_empty()
            && self.orphans.is_empty();
        if self.changes.is_empty() && is_quiet {
            paper.write_line("Nothing to do.");
            return;
        }
        if !self.changes.is_empty() {
            write_transitions(paper, &self.changes);
        }
        for one in &self.finished {
            let of = one.attempt.as_deref().unwrap_or(&one.run);
            let (mark, tone) = if one.done { ("✓", TextTone::Good) } else { ("!", TextTone::Attention) };
            let mark = paper.painter().paint_text(tone, mark);
            let problem = one.problem.as_deref().map(|problem| format!(": {}", escape_controls(problem)));
            paper.write_line(format!("{mark} {} of {of}{}", one.kind, problem.unwrap_or_default()));
        }
        for path in &self.swept {
            paper.write_line(format!("Unused worktree of no attempt: {}", escape_controls(path)));
        }
        for one in &self.locks {
            let (path, age) = (escape_controls(&one.path), one.age_ms / 1_000);
            let outcome = if one.removed { "removed" } else { "stays" };
            paper.write_line(format!("Lock file of a killed git process, {age} s old: {path}: {outcome}"));
            if let Some(next) = &one.next {
                paper.write_note(&format!("    {}", escape_controls(next)));
            }
        }
        if !self.orphans.is_empty() {
            paper.write_gap();
            let count = counted_noun(self.orphans.len(), "thing", "things");
            paper.write_line(format!("{count} unknown to the store:"));
        }
        for one in &self.orphans {
            paper.write_line(format!("  {} {}", one.kind, escape_controls(&one.name)));
            paper.write_note(&format!("    {}", escape_controls(&one.next)));
        }
    }
}

/// Writes the transitions of tasks as a table.
fn write_transitions(paper: &mut TextPage, changes: &[ReconcileStep]) {
    let mut table = TextTable::new(&["TASK", "ATTEMPT", "FROM", "TO", "WHY"]).with_elastic_column(4);
    for change in changes {
        let cell =
            |name: &str| TaskState::parse(name).map_or_else(|| TableCell::plain(name), state::state_cell);
        table.push_row(vec![
            TableCell::new(&change.task, TextTone::Strong),
            TableCell::plain(change.attempt.as_deref().unwrap_or("-")),
            cell(&change.from),
            cell(&change.to),
            TableCell::plain(&change.reason),
        ]);
    }
    paper.write_table(&table);
}

impl HumanReadable for WhyResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let paint = paper.painter();
        let name = paint.paint_text(TextTone::Strong, &self.task);
        paper.write_line(format!("{name}  {}", state::painted_state(paint, self.state.0)));
        if self.reasons.is_empty() {
            paper.write_line("The task can be dispatched now.");
            paper.write_note(&format!("  orch dispatch {}", self.task));
        }
        for reason in &self.reasons {
            paper.write_line(format!("- {}", escape_controls(&reason.message)));
            for next in reason.next_commands() {
                paper.write_note(&format!("  {}", escape_controls(next)));
            }
        }
    }
}

impl HumanReadable for EventWaitResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.events.is_empty() {
            paper.write_line(format!("Nothing happened after {}.", self.cursor));
            return;
        }
        events::write_events(paper, &self.events);
        paper.write_gap();
        let acknowledge = format!(
            "When {} dealt with: orch ack --through {}{}",
            if self.events.len() == 1 { "it is" } else { "they are" },
            self.cursor,
            self.run.as_ref().map(|run| format!(" --run {run}")).unwrap_or_default()
        );
        paper.write_note(&acknowledge);
    }
}

impl HumanReadable for EventAckResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("Acknowledged through {}.", self.cursor));
    }
}
