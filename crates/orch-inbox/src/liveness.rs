//! Whether the process that holds a thread is alive, and requests to stop its worker.

use orch_core::id::ThreadId;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::worker;

use crate::{Error, Session};
use orch_process::presence::{ProcessLiveness, process_liveness};
use orch_process::{ProcessIdentity, host_id, request_termination};

/// The environment variable that marks the processes of a worker.
pub const TAG: &str = "ORCH_WORKER";

/// The state of a worker's wrapper process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrapperLiveness {
    /// It runs on this host.
    Alive(ProcessIdentity),
    /// It has ended.
    Dead,
    /// It belongs to another host.
    Elsewhere,
}

/// Returns the state of a worker's wrapper process.
#[must_use]
pub fn wrapper_liveness(row: &Worker) -> WrapperLiveness {
    if row.host != host_id() {
        return match process_liveness(&row.host, &row.process) {
            ProcessLiveness::Dead => WrapperLiveness::Dead,
            ProcessLiveness::Alive | ProcessLiveness::Elsewhere => WrapperLiveness::Elsewhere,
        };
    }
    match row.process.parse::<ProcessIdentity>() {
        Ok(process) if process.is_alive() => WrapperLiveness::Alive(process),
        _ => WrapperLiveness::Dead,
    }
}

/// Returns whether a worker has not ended and its wrapper runs on this host.
///
/// Such a wrapper keeps its lease however late it renews it: a busy or suspended machine loses no work.
#[must_use]
pub fn is_kept_alive(worker: &Worker) -> bool {
    worker.end.is_none() && matches!(wrapper_liveness(worker), WrapperLiveness::Alive(_))
}

/// Returns whether a live wrapper on this host works on a thread.
pub fn has_live_wrapper(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<bool, Error> {
    Ok(worker::load(tx, thread)?.as_ref().is_some_and(is_kept_alive))
}

/// Asks the wrappers of some threads to stop their workers.
pub fn stop_workers_of(session: &mut Session, threads: &[ThreadId]) -> Result<(), Error> {
    if threads.is_empty() {
        return Ok(());
    }
    for worker in session.query(|tx| Ok(worker::load_many(tx, threads)?))? {
        if worker.end.is_none() {
            request_stop(&worker);
        }
    }
    Ok(())
}

/// Asks a worker's wrapper to stop it; returns whether there is one on this host.
pub fn request_stop(row: &Worker) -> bool {
    match wrapper_liveness(row) {
        WrapperLiveness::Alive(process) => request_termination(process),
        WrapperLiveness::Dead | WrapperLiveness::Elsewhere => false,
    }
}
