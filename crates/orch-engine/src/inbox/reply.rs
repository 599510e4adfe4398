//! `inbox reply`: answers the open question; its holder gets a full new lease under the same token.

use orch_core::id::{Slug, ThreadId};
use orch_core::message::Message;

use crate::{Answer, Error, Receipt, Session};

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Which thread.
    pub thread: ThreadId,
    /// Who answers.
    pub from: Slug,
    /// The answer.
    pub body: String,
}

/// Answers.
///
/// # Errors
/// No question is open, the thread is closed or unknown, or the store failed.
pub fn reply(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    request: &Reply,
) -> Result<Answer<Message>, Error> {
    todo!()
}
