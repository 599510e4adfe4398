//! Writing to one thread: the steps that the inbox's operations share.

use orch_core::event::{EventDatum, EventKind, EventSubject, NewEvent};
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::refusal::Refusal;
use orch_core::store_clock::ClockReading;
use orch_core::thread::{Thread, ThreadState};
use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::table::thread::ThreadContext;
use orch_store::table::{agent, event, lease_token, message, thread};
use orch_store::{Transaction, TxEnd};

use crate::{Error, Receipt, Response, Session, reply};

/// A thread with its open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSummary {
    /// The thread.
    pub thread: Thread,
    /// The open question.
    pub question: Option<Message>,
}

/// A thread as a write transaction finds it, after a default answer that was due.
pub(crate) struct OpenedThread {
    pub thread: Thread,
    /// The agent that holds the thread, or else the one it was sent to.
    pub worker: Slug,
    /// How many messages to the holder are unread.
    pub unread: u64,
    seen_at: Option<Time>,
}

impl OpenedThread {
    /// Records a sighting of the thread's working agent.
    pub(crate) fn record_sighting(&self, tx: &mut Transaction<'_>, now: Time) -> Result<(), Error> {
        match self.thread.state.hold() {
            Some(_) => Ok(agent::record_sighting_after(tx, &self.worker, self.seen_at, now)?),
            None => Ok(agent::record_sighting(tx, &self.worker, now)?),
        }
    }
}

/// Changes one thread in a transaction, at most once per request id.
pub(crate) fn write_to_thread<T>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
    id: ThreadId,
    mut work: impl FnMut(&mut Transaction<'_>, OpenedThread, Time) -> Result<TxEnd<T, Error>, Error>,
) -> Result<Response<T>, Error> {
    session.write_idempotent_after(
        receipt,
        |tx, clock| load_context(tx, id, clock),
        |tx, now, found| {
            let opened = open_thread(tx, id, found, now)?;
            work(tx, opened, now)
        },
    )
}

/// Loads a thread in the first statement of a transaction, together with the transaction's time.
pub(crate) fn load_context(
    tx: &mut Transaction<'_>,
    id: ThreadId,
    clock: &ClockReading,
) -> Result<(Time, Option<ThreadContext>), Error> {
    let found = thread::load_with_context(tx, id)?;
    let anchor = found.as_ref().and_then(|found| found.anchor);
    Ok((tx.judge_time(anchor.as_ref(), clock), found))
}

/// Gives a default answer that is due before anything else is done to a thread.
pub(crate) fn open_thread(
    tx: &mut Transaction<'_>,
    id: ThreadId,
    found: Option<ThreadContext>,
    now: Time,
) -> Result<OpenedThread, Error> {
    let ThreadContext { thread: before, unread, holder_seen_at: seen_at, .. } =
        found.ok_or(Refusal::ThreadNotFound { thread: id })?;
    let answered = before.message_count;
    let thread = reply::apply_due_default(tx, before, now)?;
    // A default answer is one more message to the holder.
    let unread = unread + u64::from(thread.message_count - answered);
    Ok(OpenedThread { worker: thread.working_agent().clone(), thread, unread, seen_at })
}

/// Loads a thread; a default answer that is due is given first.
pub(crate) fn load_thread(tx: &mut Transaction<'_>, id: ThreadId, now: Time) -> Result<Thread, Error> {
    let thread = thread::load(tx, id)?.ok_or(Refusal::ThreadNotFound { thread: id })?;
    reply::apply_due_default(tx, thread, now)
}

/// Writes a message and counts it; the caller saves the thread.
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

/// Saves a thread whose state changed, and marks it dirty for its owner.
pub(crate) fn save_thread_transition(tx: &mut Transaction<'_>, thread: &Thread) -> Result<(), Error> {
    Ok(thread::save(tx, thread, thread.head.reference.is_some())?)
}

/// Saves a thread with a later lease or one more message in the state it was in, which its owner need not see.
pub(crate) fn save_without_transition(tx: &mut Transaction<'_>, thread: &Thread) -> Result<(), Error> {
    Ok(thread::save(tx, thread, false)?)
}

/// Appends an event about a thread and the attempt that it belongs to.
pub fn append_thread_event(
    tx: &mut Transaction<'_>,
    kind: EventKind,
    thread: &Thread,
    agent: &Slug,
    data: Vec<(&'static str, EventDatum)>,
    now: Time,
) -> Result<(), Error> {
    Ok(event::insert(tx, &thread_event(kind, thread, agent, data), now)?)
}

/// Returns an event about a thread and the attempt that it belongs to.
pub(crate) fn thread_event(
    kind: EventKind,
    thread: &Thread,
    agent: &Slug,
    data: Vec<(&'static str, EventDatum)>,
) -> NewEvent {
    let reference = thread.head.reference;
    let about = EventSubject {
        run: reference.map(|reference| reference.run),
        task: reference.map(|reference| reference.task),
        attempt: reference.map(|reference| reference.attempt),
        thread: Some(thread.id),
    };
    NewEvent { kind, about, agent: Some(agent.clone()), by: Some(agent.clone()), data }
}

/// Summarizes a thread with its open question.
pub(crate) fn thread_summary(tx: &mut Transaction<'_>, thread: Thread) -> Result<ThreadSummary, Error> {
    let question = match open_question_id(&thread) {
        Some(question) => message::load(tx, question)?,
        None => None,
    };
    Ok(ThreadSummary { thread, question })
}

/// Summarizes several threads with their open questions.
pub(crate) fn thread_summaries(
    tx: &mut Transaction<'_>,
    threads: Vec<Thread>,
) -> Result<Vec<ThreadSummary>, Error> {
    let open: Vec<MessageId> = threads.iter().filter_map(open_question_id).collect();
    let questions = if open.is_empty() { Vec::new() } else { message::load_many(tx, &open)? };
    let summarize = |thread: Thread| {
        let open = open_question_id(&thread);
        let question = questions.iter().find(|question| Some(question.id) == open).cloned();
        ThreadSummary { thread, question }
    };
    Ok(threads.into_iter().map(summarize).collect())
}

fn open_question_id(thread: &Thread) -> Option<MessageId> {
    match &thread.state {
        ThreadState::Blocked { question, .. } => Some(question.message),
        ThreadState::Queued
        | ThreadState::Claimed { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    }
}

/// Drafts a message that is only text.
pub(crate) fn plain_draft(from: &Slug, to: &Slug, kind: MessageKind, body: &str) -> MessageDraft {
    MessageDraft {
        from: from.clone(),
        to: to.clone(),
        kind,
        body: body.to_owned(),
        extra: MessageExtras::default(),
    }
}

/// Refuses a write whose token is not the current one.
///
/// The text of a former holder is kept as a late message.
pub(crate) fn reject_late_write<T>(
    tx: &mut Transaction<'_>,
    mut thread: Thread,
    token: &TokenDigest,
    text: &str,
    now: Time,
) -> Result<TxEnd<T, Error>, Error> {
    let lost = |kept| Error::from(Refusal::LeaseLost { thread: thread.id, kept });
    let Some(writer) = lease_token::find_holder(tx, thread.id, token)? else { return Err(lost(None)) };
    if let Some(duplicate) = message::find_late_duplicate(tx, thread.id, &writer, text)? {
        return Err(lost(Some(duplicate.id)));
    }
    let to = thread.head.from.clone();
    let message = write_message(tx, &mut thread, plain_draft(&writer, &to, MessageKind::Late, text), now)?;
    save_without_transition(tx, &thread)?;
    let data = vec![("message", message.id.to_string().into())];
    append_thread_event(tx, EventKind::Late, &thread, &writer, data, now)?;
    Ok(TxEnd::CommitThenFail(Refusal::LeaseLost { thread: thread.id, kept: Some(message.id) }.into()))
}

/// Returns whether a refusal says that the token is not the current one.
pub(crate) fn is_lease_lost(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::LeaseLost { .. })
}

/// Records a sighting of an agent that waits, unless there was one a moment ago.
pub(crate) fn record_waiting_agent(session: &mut Session, agent: &Slug) -> Result<(), Error> {
    if session.read(|tx, now| Ok(agent::sighting_due(tx, agent, now)?))? {
        session.write(WriteDurability::Process, |tx, now| {
            agent::record_sighting(tx, agent, now)?;
            Ok(TxEnd::Commit(()))
        })?;
    }
    Ok(())
}

/// Returns the error of a message that a row refers to and that does not exist: the store is damaged.
pub fn missing_message(id: MessageId) -> Error {
    orch_store::Fault::Value { table: "message", value: id.to_string() }.into()
}
