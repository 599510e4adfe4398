//! `inbox cancel`: cancels a thread that its holder has not closed.

use orch_core::event::EventKind;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::MessageKind;
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::table::{agent, thread};
use orch_store::{Transaction, TxEnd};

use crate::thread_write::{
    ThreadSummary, append_thread_event, plain_draft, save_thread_transition, thread_summary, write_message,
    write_to_thread,
};
use crate::{Error, Receipt, Response, Session};

/// A request to cancel a thread.
#[derive(Clone, Debug)]
pub struct CancelRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The agent that cancels, where it is known.
    pub from: Option<Slug>,
    /// The reason.
    pub reason: Option<String>,
}

/// Cancels a thread; a thread that is cancelled already stays as it is.
///
/// # Errors
/// The thread is unknown, or its holder has closed it.
pub fn cancel_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadSummary>>,
    request: &CancelRequest,
) -> Result<Response<ThreadSummary>, Error> {
    write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        let before = opened.thread;
        let from = request.from.clone().unwrap_or_else(|| before.head.from.clone());
        if request.from.is_some() {
            agent::record_sighting(tx, &from, now)?;
        }
        let after = match end_thread(tx, &before, &from, request.reason.as_deref(), now)? {
            Some(ended) => {
                if before.head.reference.is_some() {
                    save_thread_transition(tx, &ended)?;
                }
                ended
            }
            None => before,
        };
        Ok(TxEnd::Commit(thread_summary(tx, after)?))
    })
}

/// Cancels a thread within a transaction; returns `None` if it is cancelled already.
///
/// The thread is not marked dirty for its owner, which may be the caller.
pub fn end_thread(
    tx: &mut Transaction<'_>,
    before: &Thread,
    from: &Slug,
    reason: Option<&str>,
    now: Time,
) -> Result<Option<Thread>, Error> {
    let Some(mut ended) = decide::cancel_thread(before, now)? else { return Ok(None) };
    let body = reason.filter(|reason| !reason.is_empty()).unwrap_or("Cancelled.");
    let message = plain_draft(from, before.working_agent(), MessageKind::Cancel, body);
    write_message(tx, &mut ended, message, now)?;
    thread::save(tx, &ended, false)?;
    append_thread_event(tx, EventKind::ThreadCancelled, &ended, from, vec![("reason", body.into())], now)?;
    Ok(Some(ended))
}
