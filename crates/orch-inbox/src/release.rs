//! `inbox release`: the holder gives the thread back to its queue.

use orch_core::event::EventKind;
use orch_core::id::ThreadId;
use orch_core::thread::decide;
use orch_store::Ending;
use orch_store::table::agent;

use super::{ThreadShown, record, save, shown};
use crate::{Answer, Error, Receipt, Session, token};

/// Gives the thread back.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn release(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadShown>>,
    thread: ThreadId,
    token: &str,
) -> Result<Answer<ThreadShown>, Error> {
    let digest = token::digest(token);
    session.change(receipt, |tx, now| {
        let before = super::load(tx, thread, now)?;
        let released = decide::release(&before, &digest, now)?;
        agent::see(tx, before.worker(), now)?;
        save(tx, &released)?;
        record(tx, EventKind::Released, &released, before.worker(), Vec::new(), now)?;
        Ok(Ending::Keep(shown(tx, released)?))
    })
}
