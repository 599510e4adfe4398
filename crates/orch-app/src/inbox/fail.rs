//! `inbox fail`: the holder closes its thread as failed.

use orch_contract::inbox::CloseResponse;
use orch_core::id::ThreadId;
use orch_inbox::close::{ThreadCloseRequest, ThreadResult, close_thread};
use serde::Serialize;

use super::view::close_response;
use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Closes a thread as failed.
#[derive(Debug, Serialize)]
pub struct ReportFailure {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
    /// The reason.
    pub reason: String,
    /// Whether another attempt would fail as well.
    pub last: bool,
    /// Answers with the whole message.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ReportFailure {
    const COMMAND: &'static str = "inbox fail";
    type View = CloseResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<CloseResponse> {
        let request = ThreadCloseRequest {
            thread: self.thread,
            token: self.token.clone(),
            outcome: ThreadResult::Failed { reason: self.reason.clone(), last: self.last },
            here: None,
            snapshot: false,
            defer: false,
        };
        let reply = app.change(
            key,
            |closed| close_response(closed, self.full),
            |session, receipt| close_thread(session, receipt, &request),
        )?;
        app.forget_claim(self.thread);
        Ok(reply)
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: Some(&self.token) };
        let request = RelayRequest::Fail { reason: self.reason.clone(), last: self.last, full: self.full };
        Some(relay.exchange(proof, request_id, request))
    }
}
