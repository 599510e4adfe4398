//! Reaping workers whose wrapper was killed.

use orch_inbox::liveness::{WrapperLiveness, wrapper_liveness};
use orch_inbox::{Error, Session};
use orch_scheduler::orphaned;
use orch_store::table::worker::LiveWorker;

use super::scope::DriveScope;

/// Ends the processes that killed wrappers left behind, and requeues their work; returns whether there were any.
pub(super) fn reap_orphaned_workers(
    session: &mut Session,
    scope: &DriveScope,
    live: &[LiveWorker],
) -> Result<bool, Error> {
    let mut reaped = false;
    for live in live.iter().filter(|live| scope.covers(live.run)) {
        if wrapper_liveness(&live.worker) == WrapperLiveness::Dead {
            orphaned::reap_worker(session, &live.worker)?;
            reaped = true;
        }
    }
    Ok(reaped)
}
