//! `orch tell`: sends a note to a task's worker.

use orch_contract::MessageOrSummary;
use orch_contract::orch::tell::TellResponse;
use orch_core::id::Slug;
use orch_core::message::Message;
use orch_scheduler::TaskSelector;
use orch_scheduler::tell::tell_worker;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Sends a note to a task's worker.
#[derive(Debug, Serialize)]
pub struct TellWorker {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The note.
    pub text: String,
    /// Answers with the whole message.
    #[serde(skip)]
    pub full: bool,
}

impl Request for TellWorker {
    const COMMAND: &'static str = "orch tell";
    type View = TellResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TellResponse> {
        let view =
            |message: &Message| TellResponse { message: MessageOrSummary::from_message(message, self.full) };
        app.change(key, view, |session, receipt| {
            tell_worker(session, receipt, &self.agent, &self.task, &self.text)
        })
    }
}
