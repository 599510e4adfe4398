//! `orch answer`: answers the live attempt's question.

use orch_core::id::Slug;
use orch_core::message::Message;

use super::{TaskRef, TaskShown};
use crate::{Answer, Error, Receipt, Session};

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The task, which goes on.
    pub task: TaskShown,
    /// The answer's message.
    pub message: Message,
}

/// Answers.
///
/// # Errors
/// No question is open, or the store failed.
pub fn answer(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Answered>>,
    who: &Slug,
    task: &TaskRef,
    body: &str,
) -> Result<Answer<Answered>, Error> {
    todo!("next")
}
