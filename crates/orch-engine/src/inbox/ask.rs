//! `inbox ask`: a question that blocks the work until it is answered.

use orch_core::id::ThreadId;
use orch_core::message::Message;
use orch_core::time::Span;

use crate::{Answer, Error, Receipt, Session};

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The text.
    pub question: String,
    /// Answers it offers.
    pub options: Vec<String>,
    /// The answer it takes when nobody gives one.
    pub default: Option<String>,
    /// After how long; the thread's own setting when not given.
    pub default_after: Option<Span>,
    /// How long to wait for the answer; `None` does not wait.
    pub wait: Option<Span>,
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The question's message.
    pub question: Message,
    /// The answer's message, if there is one by now.
    pub answer: Option<Message>,
}

/// Asks a question, or attaches to the same one asked before.
///
/// A repeated request answers with the question and with whatever answer there is by then.
///
/// # Errors
/// The token is not the live one, another question is open, the wait timed out, or the store failed.
pub fn ask(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Asked>>,
    request: &Ask,
) -> Result<Answer<Asked>, Error> {
    todo!()
}
