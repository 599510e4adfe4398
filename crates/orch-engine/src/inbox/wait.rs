//! `inbox wait`: messages to an agent after its cursor, as soon as there are any.

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::time::Span;

use crate::{Error, Session};

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Whose messages.
    pub agent: Slug,
    /// Only of this thread.
    pub thread: Option<ThreadId>,
    /// Only of this kind.
    pub kind: Option<MessageKind>,
    /// After this one; the acknowledged cursor when not given.
    pub after: Option<MessageId>,
    /// How long.
    pub timeout: Span,
    /// The most messages to return.
    pub limit: u32,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The last one's number: what to acknowledge, or to wait after.
    pub cursor: MessageId,
}

/// Waits; nothing is marked as read.
///
/// # Errors
/// The wait timed out, or the store failed.
pub fn wait(session: &mut Session, request: &Wait) -> Result<Waited, Error> {
    todo!()
}
