//! `inbox release`: the holder returns its thread to the queue.

use orch_contract::inbox::ThreadResponse;
use orch_core::id::ThreadId;
use orch_inbox::release::release_thread;
use serde::Serialize;

use super::view::thread_response;
use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Returns a thread to its queue.
#[derive(Debug, Serialize)]
pub struct ReleaseThread {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
}

impl Request for ReleaseThread {
    const COMMAND: &'static str = "inbox release";
    type View = ThreadResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ThreadResponse> {
        let reply = app.change(key, thread_response, |session, receipt| {
            release_thread(session, receipt, self.thread, &self.token)
        })?;
        app.forget_claim(self.thread);
        Ok(reply)
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: Some(&self.token) };
        let request = RelayRequest::Release;
        Some(relay.exchange(proof, request_id, request))
    }
}
