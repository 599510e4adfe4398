//! Text for the history: one event per line, so that it can be followed.

use orch_contract::EventView;
use orch_contract::orch::events::EventsResponse;
use orch_core::event::EventKind;
use serde_json::Value;

use crate::time::clock_time;
use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for EventsResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.events.is_empty() {
            paper.write_line("No events.");
        }
        write_events(paper, &self.events);
        paper.write_truncation(self.events.len(), self.total.unwrap_or_default(), self.next.as_deref());
    }
}

/// Writes events, one per line.
pub(super) fn write_events(paper: &mut TextPage, events: &[EventView]) {
    for event in events {
        let paint = paper.painter();
        let id = paint.paint_text(TextTone::Strong, &format!("{:<7}", event.id));
        let clock = clock_time(event.at);
        let age = paint.paint_text(TextTone::Faint, &format!("{clock} {:>9}", paper.relative_time(event.at)));
        let kind = paint.paint_text(event_tone(event.kind.0), &format!("{:<18}", event.kind.0.name()));
        let about = [&event.attempt, &event.task, &event.run].into_iter().find_map(Option::as_deref);
        let thread = event.thread.as_deref();
        let mut line = format!("{id} {age}  {kind}  {}", about.or(thread).unwrap_or("-"));
        if let Some(agent) = &event.agent {
            line.push_str(&format!("  by {agent}"));
        }
        let used = 61
            + about.or(thread).map_or(1, str::len)
            + event.agent.as_ref().map_or(0, |agent| agent.len() + 5);
        let said = event_summary(event, paper.width().saturating_sub(used + 2).max(SAID_WIDTH_MIN));
        if !said.is_empty() {
            line.push_str(&format!("  {}", paint.paint_text(TextTone::Faint, &said)));
        }
        paper.write_line(line);
    }
}

/// The minimum width of an event's details, however narrow the terminal: a truncated reason is useless.
const SAID_WIDTH_MIN: usize = 60;

/// Formats an event's data in one line, without the states that its kind implies.
fn event_summary(event: &EventView, width: usize) -> String {
    let kind = event.kind.0.name();
    let parts: Vec<String> = event
        .data
        .iter()
        .filter(|(name, value)| !value.is_null() && *name != "from" && !(*name == "to" && *value == kind))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={}", escape_controls(text)),
            other => format!("{name}={}", escape_controls(&other.to_string())),
        })
        .collect();
    crate::table::truncate_to_width(&parts.join(" "), width)
}

fn event_tone(kind: EventKind) -> TextTone {
    match kind {
        EventKind::Question
        | EventKind::Review
        | EventKind::Assigned
        | EventKind::Suggested
        | EventKind::Blocked
        | EventKind::RunPaused
        | EventKind::BranchAdvanced
        | EventKind::BranchMoved
        | EventKind::Late => TextTone::Attention,
        EventKind::Fault | EventKind::BudgetWarning | EventKind::RateLimited | EventKind::Silent => {
            TextTone::Attention
        }
        EventKind::Failed | EventKind::Lost | EventKind::Rejected | EventKind::ThreadFailed => TextTone::Bad,
        EventKind::Done
        | EventKind::Finished
        | EventKind::ThreadDone
        | EventKind::Available
        | EventKind::Integrated
        | EventKind::Synced
        | EventKind::Landed => TextTone::Good,
        EventKind::Dispatched | EventKind::Running | EventKind::Claimed | EventKind::Reported => {
            TextTone::Busy
        }
        EventKind::Sent
        | EventKind::Noted
        | EventKind::Answered
        | EventKind::Released
        | EventKind::ThreadCancelled
        | EventKind::RunCreated
        | EventKind::RunEdited
        | EventKind::RunResumed
        | EventKind::RunRepaired
        | EventKind::RunCancelled
        | EventKind::RunReopened
        | EventKind::RunRemoved
        | EventKind::TaskAdded
        | EventKind::TaskEdited
        | EventKind::DependencyAdded
        | EventKind::DependencyRemoved
        | EventKind::Waiting
        | EventKind::Ready
        | EventKind::Skipped
        | EventKind::Requeued
        | EventKind::Prepared
        | EventKind::Checked
        | EventKind::Accepted
        | EventKind::WorktreeRemoved
        | EventKind::WorktreeRestored
        | EventKind::Recalled
        | EventKind::Cancelled
        | EventKind::Retried => TextTone::Plain,
    }
}
