//! `inbox show`: a thread with its messages, oldest first.

use orch_core::id::{MessageId, ThreadId};
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{message, thread};

use crate::page::{cut_page, invalid_cursor};
use crate::thread_write::{ThreadSummary, thread_summary};
use crate::{Error, Session, apply_due_defaults};

/// A thread and its messages.
#[derive(Clone, Debug)]
pub struct ThreadDetail {
    /// The thread.
    pub thread: ThreadSummary,
    /// Its messages, oldest first.
    pub messages: ResultPage<Message>,
}

/// Shows a thread.
///
/// # Errors
/// The thread is unknown.
pub fn show_thread(
    session: &mut Session,
    thread: ThreadId,
    page: &PageRequest,
) -> Result<ThreadDetail, Error> {
    apply_due_defaults(session)?;
    let after = match &page.after {
        None => MessageId(0),
        Some(cursor) => MessageId::parse(cursor).ok_or_else(invalid_cursor)?,
    };
    session.query(|tx| {
        let found = thread::load(tx, thread)?.ok_or(Refusal::ThreadNotFound { thread })?;
        let total = u64::from(found.message_count);
        let messages = message::list_by_thread(tx, thread, after, page.limit.saturating_add(1))?;
        let messages = cut_page(messages, page.limit, total, |message: &Message| message.id.to_string());
        Ok(ThreadDetail { thread: thread_summary(tx, found)?, messages })
    })
}
