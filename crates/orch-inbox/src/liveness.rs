//! Whether the process that holds a thread lives, and asking it to end its worker.

use orch_core::id::ThreadId;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::worker;

use crate::{Error, Session};
use orch_process::{ProcessIdentity, host_id, request_termination};

/// The variable by which the processes of a worker are known.
pub const TAG: &str = "ORCH_WORKER";

/// What is known of a worker's wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrapperLiveness {
    /// It runs here.
    Alive(ProcessIdentity),
    /// It ran here and is gone.
    Dead,
    /// It is of another host.
    Elsewhere,
}

/// Looks after a worker's wrapper.
#[must_use]
pub fn wrapper_liveness(row: &Worker) -> WrapperLiveness {
    if row.host != host_id() {
        return WrapperLiveness::Elsewhere;
    }
    match row.process.parse::<ProcessIdentity>() {
        Ok(process) if process.is_alive() => WrapperLiveness::Alive(process),
        _ => WrapperLiveness::Dead,
    }
}

/// Whether a thread's lease is kept by a wrapper that lives on this host, however late its renewal is: a machine that
/// slept, or that is very busy, loses no work.
pub fn has_live_wrapper(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<bool, Error> {
    let row = worker::load(tx, thread)?.filter(|row| row.end.is_none());
    Ok(row.is_some_and(|row| matches!(wrapper_liveness(&row), WrapperLiveness::Alive(_))))
}

/// Asks the wrappers of threads that were ended to end their workers.
pub fn stop_workers_of(session: &mut Session, threads: &[ThreadId]) -> Result<(), Error> {
    for thread in threads {
        let row = session.read(|tx, _| Ok(worker::load(tx, *thread)?))?;
        if let Some(row) = row.filter(|row| row.end.is_none()) {
            request_stop(&row);
        }
    }
    Ok(())
}

/// Asks a worker's wrapper to end it; says whether there is one here.
pub fn request_stop(row: &Worker) -> bool {
    match wrapper_liveness(row) {
        WrapperLiveness::Alive(process) => request_termination(process),
        WrapperLiveness::Dead | WrapperLiveness::Elsewhere => false,
    }
}
