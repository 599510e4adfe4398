//! `inbox suggest`: a worker proposes a task.

use orch_contract::MessageView;
use orch_contract::inbox::SuggestResponse;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::Message;
use orch_inbox::suggest::{SuggestRequest, SuggestedTask, suggest_task};
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Proposes a task to the lead.
#[derive(Debug, Serialize)]
pub struct SuggestTask {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
    /// The task's title.
    pub title: String,
    /// Its instructions.
    pub spec: Option<String>,
    /// The keys of the tasks that it waits for.
    pub after: Vec<Slug>,
}

impl Request for SuggestTask {
    const COMMAND: &'static str = "inbox suggest";
    type View = SuggestResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<SuggestResponse> {
        let (title, spec, after) = (self.title.clone(), self.spec.clone(), self.after.clone());
        let task = SuggestedTask { title, spec, after };
        let request = SuggestRequest { thread: self.thread, token: self.token.clone(), task };
        let view = |message: &Message| SuggestResponse { message: MessageView::from_message(message) };
        app.change(key, view, |session, receipt| suggest_task(session, receipt, &request))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: Some(&self.token) };
        let (title, spec) = (self.title.clone(), self.spec.clone());
        let after = self.after.iter().map(ToString::to_string).collect();
        Some(relay.exchange(proof, request_id, RelayRequest::Suggest { title, spec, after }))
    }
}
