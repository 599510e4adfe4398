//! The rows that tell other processes which supervisors are running.

use orch_core::id::RunId;
use orch_inbox::{Error, Session};
use orch_process::presence::{ProcessLiveness, process_liveness, show_presence, sweep_presence_folders};
use orch_process::{ProcessIdentity, host_id};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::supervisor::{self, Supervisor};

/// Records this process as a supervisor, and removes those that no longer run.
pub(super) fn register_supervisor(
    session: &mut Session,
    run: Option<RunId>,
    log: Option<String>,
) -> Result<(), Error> {
    show_presence();
    sweep_presence_folders();
    session.write(WriteDurability::Process, |tx, now| {
        for other in supervisor::list_all(tx)? {
            if process_liveness(&other.host, &other.process) == ProcessLiveness::Dead {
                supervisor::delete(tx, &other.process)?;
            }
        }
        let row = Supervisor {
            process: ProcessIdentity::of_current_process().to_string(),
            host: host_id().to_owned(),
            run,
            log: log.clone(),
            started_at: now,
        };
        supervisor::upsert(tx, &row)?;
        Ok(TxEnd::Commit(()))
    })
}

/// Removes the row of this process.
pub(super) fn unregister_supervisor(session: &mut Session) -> Result<(), Error> {
    session.write(WriteDurability::Process, |tx, _| {
        supervisor::delete(tx, &ProcessIdentity::of_current_process().to_string())?;
        Ok(TxEnd::Commit(()))
    })
}
