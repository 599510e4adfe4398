//! `inbox reply`: answers the open question, and gives its holder a full new lease under the same token.

use orch_core::event::EventKind;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, message, thread};
use orch_store::{Transaction, TxEnd};

use crate::thread_write::{
    append_thread_event, missing_message, plain_draft, save_thread_transition, write_message, write_to_thread,
};
use crate::{Error, Receipt, Response, Session};

/// An answer.
#[derive(Clone, Debug)]
pub struct ReplyRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The agent that answers.
    pub from: Slug,
    /// The answer.
    pub body: String,
}

/// The sender of a default answer.
const DEFAULT: &str = "default";

/// Answers the open question of a thread.
///
/// # Errors
/// No question is open, or the thread is closed or unknown.
pub fn reply_to_question(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    request: &ReplyRequest,
) -> Result<Response<Message>, Error> {
    write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        agent::record_sighting(tx, &request.from, now)?;
        answer_open_question(tx, opened.thread, &request.from, &request.body, now)
            .map(|(_, message)| TxEnd::Commit(message))
    })
}

/// Answers the open question of a thread within a transaction.
pub fn answer_open_question(
    tx: &mut Transaction<'_>,
    mut thread: Thread,
    from: &Slug,
    body: &str,
    now: Time,
) -> Result<(Thread, Message), Error> {
    let answering = decide::answer_question(&thread, now)?;
    let reply = plain_draft(from, answering.holder(), MessageKind::Answer, body);
    let message = write_message(tx, &mut thread, reply, now)?;
    let thread = Thread { message_count: thread.message_count, ..answering.into_thread(message.id) };
    save_thread_transition(tx, &thread)?;
    append_thread_event(tx, EventKind::Answered, &thread, from, vec![("answer", body.into())], now)?;
    Ok((thread, message))
}

/// Gives the default answer of a thread's question if it is due.
pub fn apply_due_default(tx: &mut Transaction<'_>, thread: Thread, now: Time) -> Result<Thread, Error> {
    let Some(due) = decide::due_default(&thread, now) else { return Ok(thread) };
    let question = message::load(tx, due.message)?.ok_or_else(|| missing_message(due.message))?;
    let default = question.content.extra.default.unwrap_or_default();
    let from = Slug::from_stored(DEFAULT.to_owned());
    let (thread, _) = answer_open_question(tx, thread, &from, &default, now)?;
    Ok(thread)
}

/// Gives every default answer that is due, so that later reads see them.
pub fn apply_due_defaults(session: &mut Session) -> Result<(), Error> {
    if !session.read(|tx, now| Ok(tx.timers()?.pending(now).defaults))? {
        return Ok(());
    }
    session.write(WriteDurability::Power, |tx, now| {
        for due in thread::list_due_defaults(tx, now)? {
            apply_due_default(tx, due, now)?;
        }
        Ok(TxEnd::Commit(()))
    })
}
