//! The transport's operations, one per file. They know nothing of runs, tasks and graphs.

pub mod ack;
pub mod agents;
pub mod ask;
pub mod cancel;
pub mod claim;
pub mod clock;
pub mod close;
pub mod error;
pub mod list;
pub mod liveness;
pub mod page;
pub mod progress;
pub mod receipt;
pub mod release;
pub mod renew;
pub mod reply;
pub mod send;
pub mod session;
pub mod show;
pub mod token;
pub mod wait;
pub mod wake;
mod worktree_condition;
pub mod world;

pub use error::{Error, WaitTarget};
pub use receipt::{BegunRequest, Receipt, RequestDecision, RequestIntent, Response};
pub use session::Session;

use orch_core::event::{EventDatum, EventKind, EventSubject, NewEvent};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::refusal::Refusal;
use orch_core::thread::{Thread, ThreadState};
use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::table::{event, lease_token, message, thread};
use orch_store::{Transaction, TxEnd};

/// A thread with what is shown of it besides its own facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSummary {
    /// The thread.
    pub thread: Thread,
    /// The open question.
    pub question: Option<Message>,
}

/// Loads a thread; a default answer that is due is given first.
pub(crate) fn load_thread(tx: &mut Transaction<'_>, id: ThreadId, now: Time) -> Result<Thread, Error> {
    let thread = thread::load(tx, id)?.ok_or(Refusal::ThreadNotFound { thread: id })?;
    reply::apply_due_default(tx, thread, now)
}

/// Writes a message and counts it; the thread is the caller's to save.
pub(crate) fn write_message(
    tx: &mut Transaction<'_>,
    thread: &mut Thread,
    draft: MessageDraft,
    now: Time,
) -> Result<Message, Error> {
    let message = message::insert(tx, thread.id, draft, now)?;
    thread.message_count = thread.message_count.saturating_add(1);
    thread.updated_at = now;
    Ok(message)
}

/// Saves a thread that moved; whoever owns it gets to know.
pub(crate) fn save_thread_transition(tx: &mut Transaction<'_>, thread: &Thread) -> Result<(), Error> {
    Ok(thread::save(tx, thread, thread.head.reference.is_some())?)
}

/// Saves a thread that has a later lease or one more message, and is where it was: that is no news to its owner.
pub(crate) fn save_without_transition(tx: &mut Transaction<'_>, thread: &Thread) -> Result<(), Error> {
    Ok(thread::save(tx, thread, false)?)
}

/// Appends an event about a thread.
pub(crate) fn append_thread_event(
    tx: &mut Transaction<'_>,
    kind: EventKind,
    thread: &Thread,
    agent: &Slug,
    data: Vec<(&'static str, EventDatum)>,
    now: Time,
) -> Result<(), Error> {
    let reference = thread.head.reference;
    let about = EventSubject {
        run: reference.map(|reference| reference.run),
        task: reference.map(|reference| reference.task),
        attempt: reference.map(|reference| reference.attempt),
        thread: Some(thread.id),
    };
    event::insert(tx, &NewEvent { kind, about, agent: Some(agent.clone()), data }, now)?;
    Ok(())
}

/// What is shown of a thread.
pub(crate) fn thread_summary(tx: &mut Transaction<'_>, thread: Thread) -> Result<ThreadSummary, Error> {
    let question = match &thread.state {
        ThreadState::Blocked { question, .. } => message::load(tx, question.message)?,
        ThreadState::Queued
        | ThreadState::Claimed { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    };
    Ok(ThreadSummary { thread, question })
}

/// A plain message.
pub(crate) fn plain_draft(from: &Slug, to: &Slug, kind: MessageKind, body: &str) -> MessageDraft {
    MessageDraft {
        from: from.clone(),
        to: to.clone(),
        kind,
        body: body.to_owned(),
        extra: MessageExtras::default(),
    }
}

/// What a write with a token that is not the live one comes to: nothing changes, but what somebody wrote who once
/// held the thread is kept as evidence.
pub(crate) fn reject_late_write<T>(
    tx: &mut Transaction<'_>,
    mut thread: Thread,
    token: &TokenDigest,
    text: &str,
    now: Time,
) -> Result<TxEnd<T, Error>, Error> {
    let lost = |kept| Error::from(Refusal::LeaseLost { thread: thread.id, kept });
    let Some(writer) = lease_token::find_holder(tx, thread.id, token)? else { return Err(lost(None)) };
    if let Some(twin) = message::find_late_duplicate(tx, thread.id, &writer, text)? {
        return Err(lost(Some(twin.id)));
    }
    let to = thread.head.from.clone();
    let message = write_message(tx, &mut thread, plain_draft(&writer, &to, MessageKind::Late, text), now)?;
    save_without_transition(tx, &thread)?;
    append_thread_event(
        tx,
        EventKind::Late,
        &thread,
        &writer,
        vec![("message", message.id.to_string().into())],
        now,
    )?;
    Ok(TxEnd::CommitThenFail(Refusal::LeaseLost { thread: thread.id, kept: Some(message.id) }.into()))
}

/// Whether a refusal says that the token is not the live one.
pub(crate) fn is_lease_lost(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::LeaseLost { .. })
}

/// Gives every default answer that is due, so that what is read next is as if it had been given in time.
pub fn apply_due_defaults(session: &mut Session) -> Result<(), Error> {
    if session.read(|tx, now| Ok(thread::list_due_defaults(tx, now)?.is_empty()))? {
        return Ok(());
    }
    session.write(WriteDurability::Power, |tx, now| {
        for due in thread::list_due_defaults(tx, now)? {
            reply::apply_due_default(tx, due, now)?;
        }
        Ok(TxEnd::Commit(()))
    })
}

/// A message that a row names and that is not there: the store is damaged.
pub fn missing_message(id: orch_core::id::MessageId) -> Error {
    orch_store::Fault::Value { table: "message", value: id.to_string() }.into()
}
