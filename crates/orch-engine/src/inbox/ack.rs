//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_core::id::{MessageId, Slug};

use crate::{Answer, Error, Receipt, Session};

/// How far an agent has read.
#[derive(Clone, Debug)]
pub struct Ack {
    /// Whose cursor.
    pub agent: Slug,
    /// Through which message. A cursor never moves back.
    pub through: MessageId,
}

/// Moves the cursor and returns where it is now.
///
/// # Errors
/// The agent is unknown, the message lies beyond the newest, or the store failed.
pub fn ack(
    session: &mut Session,
    receipt: Option<&Receipt<'_, MessageId>>,
    request: &Ack,
) -> Result<Answer<MessageId>, Error> {
    todo!()
}
