//! `inbox release`: the holder gives the thread back to its queue.

use orch_core::event::EventKind;
use orch_core::id::ThreadId;
use orch_core::thread::decide;
use orch_store::TxEnd;
use orch_store::table::agent;

use super::{ThreadSummary, append_thread_event, save_thread_transition, thread_summary};
use crate::{Error, Receipt, Response, Session, token};

/// Gives the thread back.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn release_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadSummary>>,
    thread: ThreadId,
    token: &str,
) -> Result<Response<ThreadSummary>, Error> {
    let digest = token::digest_token(token);
    session.write_idempotent(receipt, |tx, now| {
        let before = super::load_thread(tx, thread, now)?;
        let released = decide::release_thread(&before, &digest, now)?;
        agent::record_sighting(tx, before.working_agent(), now)?;
        save_thread_transition(tx, &released)?;
        append_thread_event(tx, EventKind::Released, &released, before.working_agent(), Vec::new(), now)?;
        Ok(TxEnd::Commit(thread_summary(tx, released)?))
    })
}
