//! `inbox reply`: answers the open question; its holder gets a full new lease under the same token.

use orch_core::event::EventKind;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::table::{agent, message};
use orch_store::{Transaction, TxEnd};

use super::{append_thread_event, plain_draft, save_thread_transition, write_message};
use crate::{Error, Receipt, Response, Session};

/// An answer.
#[derive(Clone, Debug)]
pub struct ReplyRequest {
    /// Which thread.
    pub thread: ThreadId,
    /// Who answers.
    pub from: Slug,
    /// The answer.
    pub body: String,
}

/// Answers.
///
/// # Errors
/// No question is open, the thread is closed or unknown, or the store failed.
pub fn reply_to_question(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    request: &ReplyRequest,
) -> Result<Response<Message>, Error> {
    session.write_idempotent(receipt, |tx, now| {
        let thread = super::load_thread(tx, request.thread, now)?;
        agent::record_sighting(tx, &request.from, now)?;
        answer_open_question(tx, thread, &request.from, &request.body, now)
            .map(|(_, message)| TxEnd::Commit(message))
    })
}

/// Who a default answer is from.
const DEFAULT: &str = "default";

/// Answers the open question of a thread.
pub fn answer_open_question(
    tx: &mut Transaction<'_>,
    thread: Thread,
    from: &Slug,
    body: &str,
    now: Time,
) -> Result<(Thread, Message), Error> {
    let answering = decide::answer_question(&thread, now)?;
    let reply = plain_draft(from, answering.holder(), MessageKind::Answer, body);
    let mut counted = thread;
    let message = write_message(tx, &mut counted, reply, now)?;
    let thread = Thread { message_count: counted.message_count, ..answering.into_thread(message.id) };
    save_thread_transition(tx, &thread)?;
    append_thread_event(tx, EventKind::Answered, &thread, from, vec![("answer", body.into())], now)?;
    Ok((thread, message))
}

/// Gives the default answer of a thread's question where it is due.
pub fn apply_due_default(tx: &mut Transaction<'_>, thread: Thread, now: Time) -> Result<Thread, Error> {
    let Some(due) = decide::due_default(&thread, now) else { return Ok(thread) };
    let question = message::load(tx, due.message)?.ok_or_else(|| super::missing_message(due.message))?;
    let default = question.content.extra.default.unwrap_or_default();
    let (thread, _) =
        answer_open_question(tx, thread, &Slug::from_stored(DEFAULT.to_owned()), &default, now)?;
    Ok(thread)
}
