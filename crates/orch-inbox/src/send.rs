//! `inbox send`: starts a thread, or adds a message to one.

use orch_core::event::{EventKind, NewEvent};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::refusal::Refusal;
use orch_core::thread::{NewThread, Thread, ThreadKind};
use orch_core::time::Time;
use orch_store::table::{agent, event, message, thread};
use orch_store::{Transaction, TxEnd};

use crate::thread_write::{
    ThreadSummary, append_thread_event, load_thread, save_without_transition, thread_event, thread_summary,
    write_message,
};
use crate::{Error, Receipt, Response, Session};

/// A request to send a message.
#[derive(Clone, Debug)]
pub enum SendRequest {
    /// Starts a thread.
    NewThread {
        /// The sender.
        from: Slug,
        /// The recipient.
        to: Slug,
        /// The subject, one line.
        subject: String,
        /// The text of the first message.
        body: String,
        /// Work or note.
        kind: ThreadKind,
        /// The priority, 0 (highest) to 4.
        priority: u8,
        /// The length of a claim's lease.
        lease: LeaseLength,
        /// A JSON document.
        payload: Option<String>,
    },
    /// Adds a note to a thread.
    AddNote {
        /// The thread.
        thread: ThreadId,
        /// The sender.
        from: Slug,
        /// The recipient; the other side of the thread when not given.
        to: Option<Slug>,
        /// The text.
        body: String,
        /// A JSON document.
        payload: Option<String>,
    },
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendOutcome {
    /// The thread.
    pub thread: ThreadSummary,
    /// The message.
    pub message: Message,
}

/// Sends a message.
///
/// # Errors
/// The thread is closed or unknown.
pub fn send_message(
    session: &mut Session,
    receipt: Option<&Receipt<'_, SendOutcome>>,
    request: &SendRequest,
) -> Result<Response<SendOutcome>, Error> {
    session.write_idempotent(receipt, |tx, now| {
        let (thread, message) = match request {
            SendRequest::NewThread { from, to, subject, body, kind, priority, lease, payload } => {
                agent::record_sighting(tx, from, now)?;
                let head = NewThread {
                    kind: *kind,
                    subject: subject.clone(),
                    from: from.clone(),
                    to: to.clone(),
                    priority: *priority,
                    lease_length: *lease,
                    answer_after: None,
                    reference: None,
                };
                begin_thread(tx, head, body.clone(), payload.clone(), now)?
            }
            SendRequest::AddNote { thread, from, to, body, payload } => {
                agent::record_sighting(tx, from, now)?;
                let thread = load_thread(tx, *thread, now)?;
                add_note(tx, thread, from, to.as_ref(), body, payload.clone(), now)?
            }
        };
        Ok(TxEnd::Commit(SendOutcome { thread: thread_summary(tx, thread)?, message }))
    })
}

/// Starts a thread with its first message.
pub fn begin_thread(
    tx: &mut Transaction<'_>,
    head: NewThread,
    body: String,
    payload: Option<String>,
    now: Time,
) -> Result<(Thread, Message), Error> {
    agent::register_name(tx, &head.to, now)?;
    let (thread, message, sent) = begin_unrecorded_thread(tx, head, body, payload, now)?;
    event::insert(tx, &sent, now)?;
    Ok((thread, message))
}

/// Starts a thread with its first message, to a registered agent; the caller appends the returned event.
pub fn begin_unrecorded_thread(
    tx: &mut Transaction<'_>,
    head: NewThread,
    body: String,
    payload: Option<String>,
    now: Time,
) -> Result<(Thread, Message, NewEvent), Error> {
    let thread = thread::insert(tx, head, now)?;
    let kind = match thread.head.kind {
        ThreadKind::Work => MessageKind::Work,
        ThreadKind::Note => MessageKind::Note,
    };
    let (from, to) = (thread.head.from.clone(), thread.head.to.clone());
    let extra = MessageExtras { payload, ..MessageExtras::default() };
    let draft = MessageDraft { from: from.clone(), to: to.clone(), kind, body, extra };
    let message = message::insert(tx, thread.id, draft, now)?;
    let sent = thread_event(EventKind::Sent, &thread, &from, vec![("to", to.to_string().into())]);
    Ok((thread, message, sent))
}

/// Adds a note to a thread, to its other side when no recipient is given.
pub fn add_note(
    tx: &mut Transaction<'_>,
    mut thread: Thread,
    from: &Slug,
    to: Option<&Slug>,
    body: &str,
    payload: Option<String>,
    now: Time,
) -> Result<(Thread, Message), Error> {
    let status = thread.state.status();
    if status.is_closed() {
        return Err(Refusal::ThreadClosed { thread: thread.id, status }.into());
    }
    let other = if thread.working_agent() == from { &thread.head.from } else { thread.working_agent() };
    let to = to.unwrap_or(other).clone();
    agent::register_name(tx, &to, now)?;
    let extra = MessageExtras { payload, ..MessageExtras::default() };
    let (kind, body) = (MessageKind::Note, body.to_owned());
    let draft = MessageDraft { from: from.clone(), to: to.clone(), kind, body, extra };
    let message = write_message(tx, &mut thread, draft, now)?;
    save_without_transition(tx, &thread)?;
    append_thread_event(tx, EventKind::Noted, &thread, from, vec![("to", to.to_string().into())], now)?;
    Ok((thread, message))
}
