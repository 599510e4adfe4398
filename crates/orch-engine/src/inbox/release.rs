//! `inbox release`: the holder gives the thread back to its queue.

use orch_core::id::ThreadId;

use super::ThreadShown;
use crate::{Answer, Error, Receipt, Session};

/// Gives the thread back.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn release(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadShown>>,
    thread: ThreadId,
    token: &str,
) -> Result<Answer<ThreadShown>, Error> {
    todo!()
}
