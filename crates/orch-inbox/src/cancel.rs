//! `inbox cancel`: ends a thread from outside.

use orch_core::event::EventKind;
use orch_core::id::{Slug, ThreadId};
use orch_core::message::MessageKind;
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::table::{agent, thread};
use orch_store::{Transaction, TxEnd};

use super::{
    ThreadSummary, append_thread_event, plain_draft, save_thread_transition, thread_summary, write_message,
};
use crate::{Error, Receipt, Response, Session};

/// What is cancelled, and why.
#[derive(Clone, Debug)]
pub struct CancelRequest {
    /// Which thread.
    pub thread: ThreadId,
    /// Who cancels, where it is known.
    pub from: Option<Slug>,
    /// Why.
    pub reason: Option<String>,
}

/// Cancels the thread; repeating it changes nothing.
///
/// # Errors
/// Its holder closed it before, it is unknown, or the store failed.
pub fn cancel_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadSummary>>,
    request: &CancelRequest,
) -> Result<Response<ThreadSummary>, Error> {
    session.write_idempotent(receipt, |tx, now| {
        let before = super::load_thread(tx, request.thread, now)?;
        let from = request.from.clone().unwrap_or_else(|| before.head.from.clone());
        if request.from.is_some() {
            agent::record_sighting(tx, &from, now)?;
        }
        let owned = before.head.reference.is_some();
        let after = match end_thread(tx, &before, &from, request.reason.as_deref(), now)? {
            Some(ended) => {
                if owned {
                    save_thread_transition(tx, &ended)?;
                }
                ended
            }
            None => before,
        };
        Ok(TxEnd::Commit(thread_summary(tx, after)?))
    })
}

/// Ends a thread from outside; `None` when it was ended so before. Its owner is not told: it may be the one who asks.
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
