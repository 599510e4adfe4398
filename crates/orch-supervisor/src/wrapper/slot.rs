//! Waiting for a slot before a worker is started again with the answer to its question.
//!
//! While it waited for the answer it had no process, and others may have taken its slot. A supervisor of its run
//! gives it the next one that is free; without a supervisor nothing bounds the workers, and it starts at once.

use std::os::fd::BorrowedFd;

use orch_core::thread::decide;
use orch_core::time::TimeSpan;
use orch_inbox::renew::{RenewRequest, renew_lease};
use orch_inbox::wake::{PollOutcome, is_readable, wait_with_files};
use orch_inbox::{Error, Session};
use orch_process::presence::{ProcessLiveness, process_liveness};
use orch_store::driver::WriteDurability;
use orch_store::table::{supervisor, thread, worker};
use orch_store::{Transaction, TxEnd};

use super::claim::ClaimedWork;
use super::config::WrapperConfig;

/// The longest time in which the end of a supervisor that was killed goes unnoticed.
const LOOK_EVERY: TimeSpan = TimeSpan::from_seconds(5);

/// What the worker does meanwhile.
const ACTIVITY: &str = "waits for a free worker slot";

/// What ended the wait for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotWaitEnd {
    /// The worker may start.
    Free,
    /// The wrapper was asked to end the worker.
    Stopped,
    /// The work was revoked.
    Revoked,
}

/// Waits until the worker may start again.
pub(super) fn await_slot(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
) -> Result<SlotWaitEnd, Error> {
    if let PollOutcome::Found(end) = session.read(|tx, _| look_for_slot(tx, work, true))? {
        return Ok(end);
    }
    save_wait(session, work, Some(ACTIVITY))?;
    let files: Vec<BorrowedFd<'_>> = config.stop.into_iter().collect();
    let pause = work.lease.map_or(LOOK_EVERY, |lease| LOOK_EVERY.min(TimeSpan(lease.span().0 / 3)));
    let end = loop {
        let found = wait_with_files(session, pause, &files, |session| {
            if config.stop.is_some_and(is_readable) {
                return Ok(PollOutcome::Found(SlotWaitEnd::Stopped));
            }
            session.read(|tx, _| {
                let awaits = worker::is_awaiting_slot(tx, work.thread())?;
                look_for_slot(tx, work, awaits)
            })
        })?;
        if let Some(end) = found {
            break end;
        }
        let request = RenewRequest { thread: work.thread(), token: work.token.clone(), lease: None };
        match renew_lease(session, None, &request) {
            Err(Error::Refused(_)) => break SlotWaitEnd::Revoked,
            renewed => renewed.map(drop)?,
        }
    };
    save_wait(session, work, None)?;
    Ok(end)
}

fn save_wait(session: &mut Session, work: &ClaimedWork, activity: Option<&str>) -> Result<(), Error> {
    session.write(WriteDurability::Process, |tx, _| {
        worker::set_awaiting_slot(tx, work.thread(), activity)?;
        Ok(TxEnd::Commit(()))
    })
}

/// Finds whether a worker that waits for a slot has got one or needs none.
fn look_for_slot(
    tx: &mut Transaction<'_>,
    work: &ClaimedWork,
    awaits: bool,
) -> Result<PollOutcome<SlotWaitEnd>, Error> {
    let found = thread::load(tx, work.thread())?;
    let Some(found) = found.filter(|found| decide::verify_token(found, &work.digest).is_ok()) else {
        return Ok(PollOutcome::Found(SlotWaitEnd::Revoked));
    };
    let run = found.head.reference.map(|reference| reference.run);
    let is_supervised = supervisor::list_all(tx)?.iter().any(|one| {
        (one.run.is_none() || one.run == run)
            && process_liveness(&one.host, &one.process) == ProcessLiveness::Alive
    });
    let is_free = !awaits || !is_supervised;
    Ok(if is_free { PollOutcome::Found(SlotWaitEnd::Free) } else { PollOutcome::NotYet(None) })
}
