//! Ending a worker from outside: its wrapper is asked, and where that is gone, what it left is ended.

use std::time::Duration;

use orch_core::id::{RunId, ThreadId};
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};
use orch_store::driver::Durability;
use orch_store::table::worker;
use orch_store::{Ending, Transaction};

use super::TAG;
use crate::orch::reconcile::{self, Change};
use crate::orch::stage::Stage;
use crate::world::process::{ProcessIdentity, Tag, ask_to_end, end_tagged, host};
use crate::{Error, Session};

/// What is known of a worker's wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// It runs here.
    Alive(ProcessIdentity),
    /// It ran here and is gone.
    Dead,
    /// It is of another host.
    Elsewhere,
}

/// Looks after a worker's wrapper.
#[must_use]
pub fn wrapper(row: &Worker) -> Wrapper {
    if row.host != host() {
        return Wrapper::Elsewhere;
    }
    match row.process.parse::<ProcessIdentity>() {
        Ok(process) if process.is_alive() => Wrapper::Alive(process),
        _ => Wrapper::Dead,
    }
}

/// Whether a thread's lease is kept by a wrapper that lives on this host, however late its renewal is: a machine that
/// slept, or that is very busy, loses no work.
pub(crate) fn keeps(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<bool, Error> {
    let row = worker::load(tx, thread)?.filter(|row| row.end.is_none());
    Ok(row.is_some_and(|row| matches!(wrapper(&row), Wrapper::Alive(_))))
}

/// Asks the wrappers of threads that were ended to end their workers.
pub(crate) fn ask_those_of(session: &mut Session, threads: &[ThreadId]) -> Result<(), Error> {
    for thread in threads {
        let row = session.read(|tx, _| Ok(worker::load(tx, *thread)?))?;
        if let Some(row) = row.filter(|row| row.end.is_none()) {
            ask(&row);
        }
    }
    Ok(())
}

/// Asks a worker's wrapper to end it; says whether there is one here.
pub fn ask(row: &Worker) -> bool {
    match wrapper(row) {
        Wrapper::Alive(process) => ask_to_end(process),
        Wrapper::Dead | Wrapper::Elsewhere => false,
    }
}

/// Ends what a wrapper that was killed has left of its worker, and frees its work in the transaction that writes down
/// that it is gone: whoever is killed in between leaves somebody to be buried again.
///
/// # Errors
/// The store failed.
pub(crate) fn bury(session: &mut Session, row: &Worker) -> Result<Vec<Change>, Error> {
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
pub(crate) fn dead(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Worker>, Error> {
    let mut dead = worker::live(tx, run)?;
    dead.retain(|row| wrapper(row) == Wrapper::Dead);
    Ok(dead)
}
