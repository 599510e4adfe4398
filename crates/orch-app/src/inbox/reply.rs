//! `inbox reply`: answers the open question of a thread.

use orch_contract::MessageOrSummary;
use orch_contract::inbox::ReplyResponse;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::Message;
use orch_inbox::reply::{ReplyRequest, reply_to_question};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Answers the open question of a thread.
#[derive(Debug, Serialize)]
pub struct ReplyToQuestion {
    /// The thread.
    pub thread: ThreadId,
    /// The agent who answers.
    pub from: Slug,
    /// The answer.
    pub body: String,
    /// Answers with the whole message.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ReplyToQuestion {
    const COMMAND: &'static str = "inbox reply";
    type View = ReplyResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ReplyResponse> {
        app.require_sender(self.thread)?;
        let request = ReplyRequest { thread: self.thread, from: self.from.clone(), body: self.body.clone() };
        let view =
            |message: &Message| ReplyResponse { message: MessageOrSummary::from_message(message, self.full) };
        app.change(key, view, |session, receipt| reply_to_question(session, receipt, &request))
    }
}
