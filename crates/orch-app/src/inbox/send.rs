//! `inbox send`: begins a thread, or adds a note to one.

use orch_contract::MessageOrSummary;
use orch_contract::inbox::SendResponse;
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::thread::ThreadKind;
use orch_inbox::send::{SendOutcome, SendRequest, send_message};
use serde::Serialize;

use super::view::thread_view;
use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Request, RequestKey};

/// Sends work or a note.
#[derive(Debug, Serialize)]
pub struct SendMessage {
    /// A new thread, or a note to one.
    pub message: OutgoingMessage,
    /// Answers with the whole message.
    #[serde(skip)]
    pub full: bool,
}

/// A message that is sent.
#[derive(Clone, Debug, Serialize)]
pub enum OutgoingMessage {
    /// The first message of a new thread.
    NewThread {
        /// The sender.
        from: Slug,
        /// The agent or queue that it is for.
        to: Slug,
        /// The thread's subject.
        subject: String,
        /// The text.
        body: String,
        /// Work to be claimed, or a note to be read.
        kind: ThreadKind,
        /// From 0, the most urgent, to 4.
        priority: u8,
        /// How long a claim lasts without a renewal.
        lease: LeaseLength,
        /// A JSON document for programs.
        payload: Option<String>,
    },
    /// A note to an open thread.
    Note {
        /// The thread.
        thread: ThreadId,
        /// The sender.
        from: Slug,
        /// The agent that it is for; the other side of the thread when absent.
        to: Option<Slug>,
        /// The text.
        body: String,
        /// A JSON document for programs.
        payload: Option<String>,
    },
}

impl Request for SendMessage {
    const COMMAND: &'static str = "inbox send";
    type View = SendResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<SendResponse> {
        let request = match self.message.clone() {
            OutgoingMessage::NewThread { from, to, subject, body, kind, priority, lease, payload } => {
                SendRequest::NewThread { from, to, subject, body, kind, priority, lease, payload }
            }
            OutgoingMessage::Note { thread, from, to, body, payload } => {
                SendRequest::AddNote { thread, from, to, body, payload }
            }
        };
        let view = |sent: &SendOutcome| SendResponse {
            thread: thread_view(&sent.thread),
            message: MessageOrSummary::from_message(&sent.message, self.full),
        };
        app.change(key, view, |session, receipt| send_message(session, receipt, &request))
    }
}

/// Checks that a payload is a JSON document.
///
/// # Errors
/// The text is no JSON document.
pub fn check_payload(payload: &str) -> Result<(), AppError> {
    serde_json::from_str::<serde::de::IgnoredAny>(payload).map(drop).map_err(|error| {
        AppError::invalid_argument("--payload", format!("--payload is not a JSON document: {error}."))
    })
}
