//! `inbox show`: a thread with its messages, oldest first.

use orch_core::id::{MessageId, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::refusal::Refusal;
use orch_store::Transaction;
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

/// The largest number of messages of a thread that are searched for questions.
const MESSAGES_SEARCHED: u32 = 1_000;

/// Lists the answered questions of a thread with their answers, oldest first.
pub fn list_answered_questions(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
) -> Result<Vec<(Message, Message)>, Error> {
    let mut open: Option<Message> = None;
    let mut answered = Vec::new();
    for message in message::list_by_thread(tx, thread, MessageId(0), MESSAGES_SEARCHED)? {
        match message.content.kind {
            MessageKind::Question => open = Some(message),
            MessageKind::Answer => answered.extend(open.take().map(|question| (question, message))),
            MessageKind::Work
            | MessageKind::Note
            | MessageKind::Progress
            | MessageKind::Suggestion
            | MessageKind::Result
            | MessageKind::Failure
            | MessageKind::Cancel
            | MessageKind::Late => {}
        }
    }
    Ok(answered)
}
