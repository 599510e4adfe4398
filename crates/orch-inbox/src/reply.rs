//! `inbox reply`: answers the open question; its holder gets a full new lease under the same token.

use orch_core::event::EventKind;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::table::{agent, message};
use orch_store::{Ending, Transaction};

use super::{draft, record, save, write_message};
use crate::{Answer, Error, Receipt, Session};

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
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
pub fn reply(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    request: &Reply,
) -> Result<Answer<Message>, Error> {
    session.change(receipt, |tx, now| {
        let thread = super::load(tx, request.thread, now)?;
        agent::see(tx, &request.from, now)?;
        answer(tx, thread, &request.from, &request.body, now).map(|(_, message)| Ending::Keep(message))
    })
}

/// Who a default answer is from.
const DEFAULT: &str = "default";

/// Answers the open question of a thread.
pub fn answer(
    tx: &mut Transaction<'_>,
    thread: Thread,
    from: &Slug,
    body: &str,
    now: Time,
) -> Result<(Thread, Message), Error> {
    let answering = decide::reply(&thread, now)?;
    let reply = draft(from, answering.holder(), MessageKind::Answer, body);
    let mut counted = thread;
    let message = write_message(tx, &mut counted, reply, now)?;
    let thread = Thread { message_count: counted.message_count, ..answering.with(message.id) };
    save(tx, &thread)?;
    record(tx, EventKind::Answered, &thread, from, vec![("answer", body.into())], now)?;
    Ok((thread, message))
}

/// Gives the default answer of a thread's question where it is due.
pub fn give_default(tx: &mut Transaction<'_>, thread: Thread, now: Time) -> Result<Thread, Error> {
    let Some(due) = decide::default_due(&thread, now) else { return Ok(thread) };
    let question = message::load(tx, due.message)?.ok_or_else(|| super::missing_message(due.message))?;
    let default = question.content.extra.default.unwrap_or_default();
    let (thread, _) = answer(tx, thread, &Slug::stored(DEFAULT.to_owned()), &default, now)?;
    Ok(thread)
}
