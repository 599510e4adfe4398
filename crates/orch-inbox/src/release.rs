//! `inbox release`: the holder returns the thread to its queue.

use orch_core::event::EventKind;
use orch_core::id::ThreadId;
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::{Transaction, TxEnd};

use crate::thread_write::{
    ThreadSummary, append_thread_event, save_thread_transition, thread_summary, write_to_thread,
};
use crate::{Error, Receipt, Response, Session, token};

/// Returns the thread to its queue.
///
/// # Errors
/// The token is not the current one.
pub fn release_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadSummary>>,
    thread: ThreadId,
    token: &str,
) -> Result<Response<ThreadSummary>, Error> {
    release_with_hook(session, receipt, thread, token, &mut |_, _, _| Ok(()))
}

/// Returns the thread to its queue, and lets the hook write what follows from it in that transaction.
///
/// # Errors
/// The errors of [`release_thread`], and those of the hook.
pub fn release_with_hook(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadSummary>>,
    thread: ThreadId,
    token: &str,
    hook: &mut dyn FnMut(&mut Transaction<'_>, &Thread, Time) -> Result<(), Error>,
) -> Result<Response<ThreadSummary>, Error> {
    let digest = token::digest_token(token);
    write_to_thread(session, receipt, thread, |tx, opened, now| {
        let released = decide::release_thread(&opened.thread, &digest, now)?;
        hook(tx, &released, now)?;
        opened.record_sighting(tx, now)?;
        save_thread_transition(tx, &released)?;
        append_thread_event(tx, EventKind::Released, &released, &opened.worker, Vec::new(), now)?;
        Ok(TxEnd::Commit(thread_summary(tx, released)?))
    })
}
