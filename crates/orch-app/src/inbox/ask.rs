//! `inbox ask`: a question that blocks the work until it is answered.

use orch_contract::MessageView;
use orch_contract::inbox::AskResponse;
use orch_core::id::ThreadId;
use orch_core::time::TimeSpan;
use orch_inbox::ask::{AskOutcome, AskRequest, ask_question};
use orch_inbox::{Error, WaitTarget};
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Asks a question, or attaches to the open question with the same text.
#[derive(Debug, Serialize)]
pub struct AskQuestion {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
    /// The question.
    pub question: String,
    /// The answers that it offers.
    pub options: Vec<String>,
    /// The answer when no agent answers in time.
    pub default: Option<String>,
    /// When the default becomes the answer.
    pub default_after: Option<TimeSpan>,
    /// How long to wait for the answer.
    #[serde(skip)]
    pub wait: Option<TimeSpan>,
    /// Answers with the open question when the wait times out.
    #[serde(skip)]
    pub empty_ok: bool,
}

impl Request for AskQuestion {
    const COMMAND: &'static str = "inbox ask";
    type View = AskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<AskResponse> {
        let request = |wait| AskRequest {
            thread: self.thread,
            token: self.token.clone(),
            question: self.question.clone(),
            options: self.options.clone(),
            default: self.default.clone(),
            default_after: self.default_after,
            wait,
        };
        app.change(key, ask_response, |session, receipt| {
            match ask_question(session, receipt, &request(self.wait)) {
                // The question stays open; asking it again attaches to it without a wait.
                Err(Error::TimedOut(WaitTarget::Answer { .. })) if self.empty_ok => {
                    ask_question(session, receipt, &request(None))
                }
                asked => asked,
            }
        })
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: Some(&self.token) };
        let request = RelayRequest::Ask {
            question: self.question.clone(),
            options: self.options.clone(),
            default: self.default.clone(),
            default_after_ms: self.default_after.map(|span| span.0),
            wait_ms: self.wait.map(|span| span.0),
            empty_ok: self.empty_ok,
        };
        Some(relay.exchange(proof, request_id, request))
    }
}

fn ask_response(asked: &AskOutcome) -> AskResponse {
    AskResponse {
        question: MessageView::from_message(&asked.question),
        answer: asked.answer.as_ref().map(MessageView::from_message),
    }
}
