//! Workers whose wrappers were killed: what those left is ended, and their work is freed.

use std::time::Duration;

use orch_core::id::RunId;
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};
use orch_store::Transaction;
use orch_store::table::worker;

use super::operation::tool_transaction;
use super::reconcile::{self, TaskTransition};
use super::unit_of_work::UnitOfWork;
use orch_inbox::liveness::{TAG, WrapperLiveness, wrapper_liveness};
use orch_inbox::{Error, Session};
use orch_process::{Tag, terminate_tagged};

/// Ends what a wrapper that was killed has left of its worker, and frees its work in the transaction that writes down
/// that it is gone: whoever is killed in between leaves somebody to be buried again.
///
/// # Errors
/// The store failed.
pub fn reap_worker(session: &mut Session, row: &Worker) -> Result<Vec<TaskTransition>, Error> {
    let grace = Duration::from_millis(u64::try_from(row.grace.0).unwrap_or(0));
    let _ = terminate_tagged(Tag { name: TAG, value: &row.tag }, grace);
    tool_transaction(session, |unit| {
        let current = worker::load(unit.tx, row.thread)?;
        if let Some(current) =
            current.filter(|current| current.process == row.process && current.end.is_none())
        {
            let end = WorkerEnd { at: unit.now, outcome: WorkerOutcome::Gone, detail: None };
            worker::upsert(unit.tx, &Worker { end: Some(end), ..current })?;
            mark_lost(unit, row)?;
        }
        Ok(unit.changes.clone())
    })
}

/// Frees the work of a worker whose wrapper was killed.
pub(crate) fn mark_lost(stage: &mut UnitOfWork<'_, '_>, row: &Worker) -> Result<(), Error> {
    reconcile::mark_thread_lost(
        stage,
        row.thread,
        "its wrapper was killed, and what was left of it was ended",
    )
}

/// The workers whose wrappers were killed here, and that nobody has buried.
pub fn orphaned_workers(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Worker>, Error> {
    let mut dead = worker::list_live(tx, run)?;
    dead.retain(|row| wrapper_liveness(row) == WrapperLiveness::Dead);
    Ok(dead)
}
