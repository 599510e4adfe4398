//! `inbox show`: a thread with its messages, oldest first.

use orch_core::id::ThreadId;
use orch_core::message::Message;
use orch_store::page::{Page, PageRequest};

use super::ThreadShown;
use crate::{Error, Session};

/// A thread and its messages.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The thread.
    pub thread: ThreadShown,
    /// Its messages, oldest first.
    pub messages: Page<Message>,
}

/// Shows a thread.
///
/// # Errors
/// It is unknown, or the store failed.
pub fn show(session: &mut Session, thread: ThreadId, page: &PageRequest) -> Result<Shown, Error> {
    todo!()
}
