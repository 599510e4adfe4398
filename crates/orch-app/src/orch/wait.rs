//! `orch wait`: events that need the lead, as soon as there are any.

use orch_contract::orch::cursor::EventWaitResponse;
use orch_contract::task::slug_texts;
use orch_contract::{ErrorCode, ErrorView, EventView};
use orch_core::event::AwaitedEvent;
use orch_core::id::{EventId, Slug};
use orch_core::time::TimeSpan;
use orch_inbox::{Error, WaitTarget};
use orch_query::wait::{EventWaitOutcome, EventWaitRequest, wait_for_events};
use serde::Serialize;

use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Waits for events that need the lead.
#[derive(Debug, Serialize)]
pub struct WaitForEvents {
    /// The agent who waits.
    pub agent: Slug,
    /// The run; all unfinished runs when absent.
    pub run: Option<Slug>,
    /// The kinds of events; the default ones when empty.
    pub kinds: Vec<AwaitedEvent>,
    /// Only events after this one; after the acknowledged ones when absent.
    pub after: Option<EventId>,
    /// How long to wait.
    pub timeout: TimeSpan,
    /// The most events to return.
    pub limit: u32,
    /// Answers without events when the wait times out.
    pub empty_ok: bool,
}

impl Request for WaitForEvents {
    const COMMAND: &'static str = "orch wait";
    type View = EventWaitResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<EventWaitResponse> {
        let awaits_finish = self.kinds.contains(&AwaitedEvent::Finished);
        let request = EventWaitRequest {
            agent: self.agent.clone(),
            run: self.run.clone(),
            wakes: self.kinds.clone(),
            after: self.after,
            timeout: self.timeout,
            limit: self.limit,
        };
        let run = self.run.as_ref().map(ToString::to_string);
        match wait_for_events(app.session()?, &request) {
            Ok(waited) if awaits_finish && !waited.incomplete.is_empty() => Err(run_incomplete(&waited)),
            Ok(waited) => {
                let (events, cursor) = (EventView::from_events(&waited.events), waited.cursor.to_string());
                Ok(Reply::new(EventWaitResponse { events, cursor, run }))
            }
            Err(Error::TimedOut(WaitTarget::Events(cursor))) if self.empty_ok => {
                let cursor = cursor.to_string();
                Ok(Reply::new(EventWaitResponse { events: Vec::new(), cursor, run }))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the error of a wait for a finished run that ended with unfinished work.
fn run_incomplete(waited: &EventWaitOutcome) -> AppError {
    let runs = slug_texts(&waited.incomplete);
    let message = match runs.as_slice() {
        [run] => format!("The run {run} ended with unfinished work."),
        runs => format!("Runs ended with unfinished work: {}.", runs.join(", ")),
    };
    let mut error = ErrorView::new(ErrorCode::RunIncomplete, message);
    if let Some(run) = runs.first() {
        error = error.with_hint(format!("orch status {run}"));
    }
    // Events are texts and numbers, which always have a JSON form.
    let events = serde_json::to_value(EventView::from_events(&waited.events)).unwrap_or_default();
    error
        .with_detail("events", events)
        .with_detail("cursor", waited.cursor.to_string())
        .with_detail("runs", runs)
        .into()
}
