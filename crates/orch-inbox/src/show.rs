//! `inbox show`: a thread with its messages, oldest first.

use orch_core::id::{MessageId, ThreadId};
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_store::page::{Page, PageRequest};
use orch_store::table::{message, thread};

use super::{ThreadShown, give_defaults, shown};
use crate::page::{bad_cursor, cut};
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
    give_defaults(session)?;
    let after = match &page.after {
        None => MessageId(0),
        Some(cursor) => MessageId::parse(cursor).ok_or_else(bad_cursor)?,
    };
    session.read(|tx, _| {
        let found = thread::load(tx, thread)?.ok_or(Refusal::ThreadNotFound { thread })?;
        let total = u64::from(found.message_count);
        let messages = message::of_thread(tx, thread, after, page.limit.saturating_add(1))?;
        let messages = cut(messages, page.limit, total, |message: &Message| message.id.to_string());
        Ok(Shown { thread: shown(tx, found)?, messages })
    })
}
