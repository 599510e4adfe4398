//! `orch recall`: ends the live attempt without counting it.

use orch_core::id::Slug;

use super::{TaskRef, TaskShown};
use crate::{Answer, Error, Receipt, Session};

/// Recalls.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn recall(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    reason: Option<&str>,
) -> Result<Answer<TaskShown>, Error> {
    todo!("next")
}
