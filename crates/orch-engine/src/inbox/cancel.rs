//! `inbox cancel`: ends a thread from outside.

use orch_core::id::{Slug, ThreadId};

use super::ThreadShown;
use crate::{Answer, Error, Receipt, Session};

/// What is cancelled, and why.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Which thread.
    pub thread: ThreadId,
    /// Who cancels, where it is known.
    pub from: Option<Slug>,
    /// Why.
    pub reason: Option<String>,
}

/// Cancels the thread; repeating it changes nothing.
///
/// # Errors
/// Its holder closed it before, it is unknown, or the store failed.
pub fn cancel(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadShown>>,
    request: &Cancel,
) -> Result<Answer<ThreadShown>, Error> {
    todo!()
}
