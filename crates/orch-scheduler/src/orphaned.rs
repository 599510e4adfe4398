//! Workers whose wrappers were killed: what those left is ended, and their work is freed.

use std::time::Duration;

use orch_core::id::RunId;
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};
use orch_store::driver::Durability;
use orch_store::table::worker;
use orch_store::{Ending, Transaction};

use super::reconcile::{self, Change};
use super::stage::Stage;
use orch_inbox::liveness::{TAG, Wrapper, wrapper};
use orch_inbox::{Error, Session};
use orch_process::{Tag, end_tagged};

/// Ends what a wrapper that was killed has left of its worker, and frees its work in the transaction that writes down
/// that it is gone: whoever is killed in between leaves somebody to be buried again.
///
/// # Errors
/// The store failed.
pub fn bury(session: &mut Session, row: &Worker) -> Result<Vec<Change>, Error> {
    let grace = Duration::from_millis(u64::try_from(row.grace.0).unwrap_or(0));
    let _ = end_tagged(Tag { name: TAG, value: &row.tag }, grace);
    session.write(Durability::Power, |tx, now| {
        let mut stage = Stage::fresh(tx, now, None)?;
        let current = worker::load(stage.tx, row.thread)?;
        if let Some(current) =
            current.filter(|current| current.process == row.process && current.end.is_none())
        {
            let end = WorkerEnd { at: now, outcome: WorkerOutcome::Gone, detail: None };
            worker::put(stage.tx, &Worker { end: Some(end), ..current })?;
            lose(&mut stage, row)?;
        }
        Ok(Ending::Keep(stage.close()?))
    })
}

/// Frees the work of a worker whose wrapper was killed.
pub(crate) fn lose(stage: &mut Stage<'_, '_>, row: &Worker) -> Result<(), Error> {
    reconcile::lose_thread(stage, row.thread, "its wrapper was killed, and what was left of it was ended")
}

/// The workers whose wrappers were killed here, and that nobody has buried.
pub fn dead(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Worker>, Error> {
    let mut dead = worker::live(tx, run)?;
    dead.retain(|row| wrapper(row) == Wrapper::Dead);
    Ok(dead)
}
