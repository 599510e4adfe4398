//! Workers that were killed, or whose wrappers were: their processes are terminated and their work is freed.

use std::time::Duration;

use orch_core::id::RunId;
use orch_core::task::decide::UnsuccessfulEnd;
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};
use orch_store::Transaction;
use orch_store::table::worker;

use crate::operation::tool_transaction;
use crate::thread_reconcile::end_held_thread;
use crate::unit_of_work::{TaskTransition, UnitOfWork};
use orch_inbox::kept_report::{DeliveredEnd, deliver_kept_report};
use orch_inbox::liveness::{TAG, WrapperLiveness, wrapper_liveness};
use orch_inbox::relay_folder::{LEASE_LOST, relay_folder};
use orch_inbox::{Error, Session};
use orch_process::mailbox::close_mailbox;
use orch_process::{Tag, terminate_tagged};

/// Terminates the processes of a worker whose wrapper was killed, delivers its report if one is kept, and else frees its work.
///
/// The end of the worker and the loss of its attempt are one transaction, so a crash before it repeats both.
pub fn reap_worker(session: &mut Session, row: &Worker) -> Result<Vec<TaskTransition>, Error> {
    let grace = Duration::from_millis(u64::try_from(row.grace.0).unwrap_or(0));
    let _ = terminate_tagged(Tag { name: TAG, value: &row.tag }, grace);
    let outcome = match deliver_kept_report(session, row)? {
        Some(DeliveredEnd::Reported) => WorkerOutcome::Reported,
        Some(DeliveredEnd::Failed) => WorkerOutcome::Failed,
        Some(DeliveredEnd::GivenBack) => WorkerOutcome::Stopped,
        None => WorkerOutcome::Gone,
    };
    // A process that was not found learns here that its work is lost.
    let _ = close_mailbox(&relay_folder(session.store_folder(), row.thread), LEASE_LOST);
    tool_transaction(session, |unit| {
        let current = worker::load(unit.tx, row.thread)?;
        let is_current = |current: &Worker| current.process == row.process && current.end.is_none();
        if let Some(current) = current.filter(is_current) {
            let end = WorkerEnd { at: unit.now, outcome, detail: None };
            worker::upsert(unit.tx, &Worker { end: Some(end), ..current })?;
            if outcome == WorkerOutcome::Gone {
                mark_lost(unit, row)?;
            }
        }
        Ok(std::mem::take(&mut unit.changes))
    })
}

/// Records the end of a worker that was killed from outside, and the loss of its attempt, in one transaction.
pub fn record_killed_worker(session: &mut Session, row: &Worker, reason: &str) -> Result<WorkerEnd, Error> {
    tool_transaction(session, |unit| {
        let end = WorkerEnd { at: unit.now, outcome: WorkerOutcome::Killed, detail: Some(reason.to_owned()) };
        worker::upsert(unit.tx, &Worker { end: Some(end.clone()), ..row.clone() })?;
        end_held_thread(unit, row.thread, UnsuccessfulEnd::Lost, reason)?;
        Ok(end)
    })
}

/// Frees the work of a worker whose wrapper was killed.
pub(crate) fn mark_lost(unit: &mut UnitOfWork<'_, '_>, row: &Worker) -> Result<(), Error> {
    let reason = "its wrapper was killed, and its remaining processes were terminated";
    end_held_thread(unit, row.thread, UnsuccessfulEnd::Lost, reason)
}

/// Lists the workers whose wrappers were killed on this host.
pub fn orphaned_workers(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Worker>, Error> {
    let mut dead = worker::list_live(tx, run)?;
    dead.retain(|row| wrapper_liveness(row) == WrapperLiveness::Dead);
    Ok(dead)
}
