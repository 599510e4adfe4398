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
        let said = said(event);
        if !said.is_empty() {
            line.push_str(&format!("  {}", paint.text(Tone::Faint, &said)));
        }
        paper.line(line);
    }
}

/// What else the event says, in one line.
fn said(event: &Event) -> String {
    let parts: Vec<String> = event
        .data
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={}", harmless(text)),
            other => format!("{name}={}", harmless(&other.to_string())),
        })
        .collect();
    crate::human::table::cut(&parts.join(" "), 60)
}

fn tone(kind: EventKind) -> Tone {
    match kind {
        EventKind::Question | EventKind::Blocked | EventKind::RunPaused | EventKind::Late => Tone::Attention,
        EventKind::Failed | EventKind::Lost | EventKind::ThreadFailed => Tone::Bad,
        EventKind::Done | EventKind::Finished | EventKind::ThreadDone => Tone::Good,
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
        | EventKind::TaskAdded
        | EventKind::TaskEdited
        | EventKind::DependencyAdded
        | EventKind::DependencyRemoved
        | EventKind::Waiting
        | EventKind::Ready
        | EventKind::Skipped
        | EventKind::Requeued
        | EventKind::Recalled
        | EventKind::Cancelled
        | EventKind::Retried => Tone::Plain,
    }
}
