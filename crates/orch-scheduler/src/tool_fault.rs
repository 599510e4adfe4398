//! Faults of the tool itself: no try is used up, and several in a row pause the run.

use orch_core::event::{EventKind, EventSubject};
use orch_core::id::RunId;
use orch_core::run::{Run, decide};
use orch_core::thread::Thread;
use orch_store::table::thread;

use crate::unit_of_work::UnitOfWork;
use orch_inbox::Error;

/// Records that the tool could not do its work for a run; several faults in a row pause the run.
pub(crate) fn record_tool_fault(
    stage: &mut UnitOfWork<'_, '_>,
    run: RunId,
    about: EventSubject,
    reason: &str,
) -> Result<(), Error> {
    stage.append_event(EventKind::Fault, about, None, vec![("reason", reason.into())])?;
    if count_tool_fault(stage, run, reason)?.1 {
        set_run_offered(stage, run, false)?;
    }
    Ok(())
}

/// Counts a fault of the tool; returns the number of faults in a row, and whether the run was paused by this one.
pub(crate) fn count_tool_fault(
    stage: &mut UnitOfWork<'_, '_>,
    run: RunId,
    reason: &str,
) -> Result<(u32, bool), Error> {
    let before = stage.load_run(run)?.clone();
    let counted = decide::record_fault(&before, reason, stage.now);
    let (faults, is_paused) = (counted.faults, counted.state != before.state);
    stage.replace_run(counted);
    if is_paused {
        let data = vec![("reason", "breaker".into())];
        stage.append_event(EventKind::RunPaused, EventSubject::of_run(run), None, data)?;
    }
    Ok((faults, is_paused))
}

/// Resets the count of faults in a row after the tool has done its work for a run.
pub(crate) fn clear_tool_faults(stage: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<(), Error> {
    let run = stage.load_run(run)?.clone();
    if run.faults > 0 {
        stage.replace_run(Run { faults: 0, ..run });
    }
    Ok(())
}

/// Offers the run's unclaimed threads to their agents, or withdraws them.
pub fn set_run_offered(stage: &mut UnitOfWork<'_, '_>, run: RunId, offered: bool) -> Result<(), Error> {
    for queued in thread::list_queued_by_run(stage.tx, run)? {
        let thread = Thread { withdrawn: !offered, updated_at: stage.now, ..queued };
        thread::save(stage.tx, &thread, false)?;
    }
    Ok(())
}
