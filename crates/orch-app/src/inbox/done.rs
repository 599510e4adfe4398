//! `inbox done`: the holder closes its thread as done.

use std::path::PathBuf;

use orch_contract::inbox::CloseResponse;
use orch_core::id::ThreadId;
use orch_inbox::close::{ThreadCloseRequest, ThreadResult, close_thread};
use orch_supervisor::wrapper::DEFER;
use serde::Serialize;

use super::view::close_response;
use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Closes a thread as done.
#[derive(Debug, Serialize)]
pub struct ReportDone {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
    /// The result in words.
    pub result: String,
    /// The result as a JSON document.
    pub payload: Option<String>,
    /// The files that belong to the result.
    pub artifacts: Vec<String>,
    /// Commits the contents of a worktree that must be clean.
    pub snapshot: bool,
    /// The working folder of the caller, where known.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
    /// Answers with the whole message.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ReportDone {
    const COMMAND: &'static str = "inbox done";
    type View = CloseResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<CloseResponse> {
        let request = ThreadCloseRequest {
            thread: self.thread,
            token: self.token.clone(),
            outcome: ThreadResult::Done {
                result: self.result.clone(),
                payload: self.payload.clone(),
                artifacts: self.artifacts.clone(),
            },
            here: self.folder.clone(),
            snapshot: self.snapshot,
            defer: app.environment().is_set(DEFER),
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
        let request = RelayRequest::Done {
            result: self.result.clone(),
            payload: self.payload.clone(),
            artifacts: self.artifacts.clone(),
            snapshot: self.snapshot,
            full: self.full,
        };
        Some(relay.exchange(proof, request_id, request))
    }
}
