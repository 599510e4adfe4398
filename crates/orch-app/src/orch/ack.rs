//! `orch ack`: moves the lead's cursor over events.

use orch_contract::orch::cursor::EventAckResponse;
use orch_core::id::{EventId, Slug};
use orch_scheduler::ack::{EventAckRequest, acknowledge_events};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Acknowledges events up to one.
#[derive(Debug, Serialize)]
pub struct AcknowledgeEvents {
    /// The owner of the cursor.
    pub agent: Slug,
    /// The run; all unfinished ones when absent.
    pub run: Option<Slug>,
    /// The last acknowledged event.
    pub through: EventId,
}

impl Request for AcknowledgeEvents {
    const COMMAND: &'static str = "orch ack";
    type View = EventAckResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<EventAckResponse> {
        let request =
            EventAckRequest { agent: self.agent.clone(), run: self.run.clone(), through: self.through };
        let view = |cursor: &EventId| EventAckResponse { cursor: cursor.to_string() };
        app.change(key, view, |session, receipt| acknowledge_events(session, receipt, &request))
    }
}
