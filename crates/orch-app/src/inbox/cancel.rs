//! `inbox cancel`: closes a thread from outside.

use orch_contract::inbox::ThreadResponse;
use orch_core::id::{Slug, ThreadId};
use orch_inbox::cancel::{CancelRequest, cancel_thread};
use serde::Serialize;

use super::view::thread_response;
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Cancels a thread.
#[derive(Debug, Serialize)]
pub struct CancelThread {
    /// The thread.
    pub thread: ThreadId,
    /// The agent who cancels it, where known.
    pub from: Option<Slug>,
    /// The reason.
    pub reason: Option<String>,
}

impl Request for CancelThread {
    const COMMAND: &'static str = "inbox cancel";
    type View = ThreadResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ThreadResponse> {
        app.require_sender(self.thread)?;
        let request =
            CancelRequest { thread: self.thread, from: self.from.clone(), reason: self.reason.clone() };
        app.change(key, thread_response, |session, receipt| cancel_thread(session, receipt, &request))
    }
}
