//! `inbox show`: a thread with its messages.

use orch_contract::MessageView;
use orch_contract::inbox::ThreadShowResponse;
use orch_core::id::ThreadId;
use orch_inbox::show::show_thread;
use serde::Serialize;

use super::view::thread_view;
use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Shows a thread with its messages, oldest first.
#[derive(Debug, Serialize)]
pub struct ShowThread {
    /// The thread.
    pub thread: ThreadId,
    /// Which part of its messages.
    pub paging: Paging,
}

impl Request for ShowThread {
    const COMMAND: &'static str = "inbox show";
    type View = ThreadShowResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<ThreadShowResponse> {
        let shown = show_thread(app.session()?, self.thread, &self.paging.page_request())?;
        Ok(Reply::new(ThreadShowResponse {
            thread: thread_view(&shown.thread),
            messages: MessageView::from_messages(&shown.messages.items),
            total: shown.messages.total,
            next: shown.messages.next,
        }))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: None };
        let request = RelayRequest::Show { limit: self.paging.limit, after: self.paging.after.clone() };
        Some(relay.exchange(proof, request_id, request))
    }
}
