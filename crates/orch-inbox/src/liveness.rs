//! Whether the process that holds a thread lives, and asking it to end its worker.

use orch_core::id::ThreadId;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::worker;

use crate::{Error, Session};
use orch_process::{ProcessIdentity, ask_to_end, host};

/// The variable by which the processes of a worker are known.
pub const TAG: &str = "ORCH_WORKER";

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
pub fn keeps(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<bool, Error> {
    let row = worker::load(tx, thread)?.filter(|row| row.end.is_none());
    Ok(row.is_some_and(|row| matches!(wrapper(&row), Wrapper::Alive(_))))
}

/// Asks the wrappers of threads that were ended to end their workers.
pub fn ask_those_of(session: &mut Session, threads: &[ThreadId]) -> Result<(), Error> {
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
