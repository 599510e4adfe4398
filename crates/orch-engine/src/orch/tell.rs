//! `orch tell`: a note to the live worker.

use orch_core::id::Slug;
use orch_core::message::Message;

use super::TaskRef;
use crate::{Answer, Error, Receipt, Session};

/// Writes a note into the live attempt's thread.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn tell(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    who: &Slug,
    task: &TaskRef,
    text: &str,
) -> Result<Answer<Message>, Error> {
    todo!("next")
}
