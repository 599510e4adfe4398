//! The history for people: one event a line, so that it can be followed.

use orch_contract::Event;
use orch_contract::orch::events::EventsAnswer;
use orch_core::event::EventKind;
use serde_json::Value;

use crate::human::{Human, Paper, Tone, harmless};

impl Human for EventsAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.events.is_empty() {
            paper.line("No events.");
        }
        lines(paper, &self.events);
        paper.rest(self.events.len(), self.total.unwrap_or_default(), self.next.as_deref());
    }
}

/// Writes events, one a line.
pub(super) fn lines(paper: &mut Paper, events: &[Event]) {
    for event in events {
        let paint = paper.paint();
        let id = paint.text(Tone::Strong, &format!("{:<7}", event.id));
        let age = paint.text(Tone::Faint, &format!("{:>9}", paper.ago(event.at)));
        let kind = paint.text(tone(event.kind.0), &format!("{:<18}", event.kind.0.name()));
        let about = [&event.attempt, &event.task, &event.run].into_iter().find_map(Option::as_deref);
        let thread = event.thread.as_deref();
        let mut line = format!("{id} {age}  {kind}  {}", about.or(thread).unwrap_or("-"));
        if let Some(agent) = &event.agent {
            line.push_str(&format!("  by {agent}"));
        }
        let used = 40
            + about.or(thread).map_or(1, str::len)
            + event.agent.as_ref().map_or(0, |agent| agent.len() + 5);
        let said = said(event, paper.width().saturating_sub(used + 2).max(SAID_WIDTH_MIN));
        if !said.is_empty() {
            line.push_str(&format!("  {}", paint.text(Tone::Faint, &said)));
        }
        paper.line(line);
    }
}

/// However narrow the terminal, this much of what an event says is shown: a reason that is cut off says nothing.
const SAID_WIDTH_MIN: usize = 60;

/// What else the event says, in one line; the states that its kind already names are left out.
fn said(event: &Event, width: usize) -> String {
    let kind = event.kind.0.name();
    let parts: Vec<String> = event
        .data
        .iter()
        .filter(|(name, value)| !value.is_null() && *name != "from" && !(*name == "to" && *value == kind))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={}", harmless(text)),
            other => format!("{name}={}", harmless(&other.to_string())),
        })
        .collect();
    crate::human::table::cut(&parts.join(" "), width)
}

fn tone(kind: EventKind) -> Tone {
    match kind {
        EventKind::Question | EventKind::Blocked | EventKind::RunPaused | EventKind::Late => Tone::Attention,
        EventKind::Fault | EventKind::Budget => Tone::Attention,
        EventKind::Failed | EventKind::Lost | EventKind::Rejected | EventKind::ThreadFailed => Tone::Bad,
        EventKind::Done
        | EventKind::Finished
        | EventKind::ThreadDone
        | EventKind::Integrated
        | EventKind::Landed => Tone::Good,
        EventKind::Dispatched | EventKind::Running | EventKind::Claimed | EventKind::Reported => Tone::Busy,
        EventKind::Sent
        | EventKind::Noted
        | EventKind::Answered
        | EventKind::Released
        | EventKind::ThreadCancelled
        | EventKind::RunCreated
        | EventKind::RunEdited
        | EventKind::RunResumed
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
        | EventKind::Retried => Tone::Plain,
    }
}
