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
    unit: &mut UnitOfWork<'_, '_>,
    run: RunId,
    about: EventSubject,
    reason: &str,
) -> Result<(), Error> {
    unit.append_event(EventKind::Fault, about, None, vec![("reason", reason.into())])?;
    if count_tool_fault(unit, run, reason)?.1 {
        set_run_offered(unit, run, false)?;
    }
    Ok(())
}

/// Counts a fault of the tool; returns the number of faults in a row, and whether the run was paused by this one.
pub(crate) fn count_tool_fault(
    unit: &mut UnitOfWork<'_, '_>,
    run: RunId,
    reason: &str,
) -> Result<(u32, bool), Error> {
    let before = unit.load_run(run)?.clone();
    let counted = decide::record_fault(&before, reason, unit.now);
    let (faults, is_paused) = (counted.faults, counted.state != before.state);
    unit.replace_run(counted);
    if is_paused {
        let data = vec![("reason", "breaker".into())];
        unit.append_event(EventKind::RunPaused, EventSubject::of_run(run), None, data)?;
    }
    Ok((faults, is_paused))
}

/// Resets the count of faults in a row after the tool has done its work for a run.
pub(crate) fn clear_tool_faults(unit: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<(), Error> {
    let run = unit.load_run(run)?.clone();
    if run.faults > 0 {
        unit.replace_run(Run { faults: 0, ..run });
    }
    Ok(())
}

/// Offers the run's unclaimed threads to their agents, or withdraws them.
pub fn set_run_offered(unit: &mut UnitOfWork<'_, '_>, run: RunId, offered: bool) -> Result<(), Error> {
    for queued in thread::list_queued_by_run(unit.tx, run)? {
        let thread = Thread { withdrawn: !offered, updated_at: unit.now, ..queued };
        thread::save(unit.tx, &thread, false)?;
    }
    Ok(())
}
