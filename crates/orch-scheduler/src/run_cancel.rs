//! `orch run cancel`: ends a run, and cancels the tasks without a worker, many in one statement.
//!
//! Dependents are cancelled before what they wait for, so that no task is skipped on the way. A run with more idle tasks
//! than [`limit::CANCEL_PIECE`] takes several transactions: the first one ends the run, and a repeated command continues
//! where a killed one stopped.

use orch_core::attempt::state::AttemptEvent;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{RunId, Slug, TaskId};
use orch_core::limit;
use orch_core::run::{Run, decide as run_decide};
use orch_core::task::{TaskState, decide};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_store::table::task as task_table;

use crate::lookup;
use crate::operation::Operation;
use crate::task_end::end_attempt;
use crate::tool_fault::set_run_offered;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};

/// Why the tasks of a cancelled run are cancelled.
const REASON: &str = "the run was cancelled";

/// Cancels a run; it is idempotent.
///
/// # Errors
/// The run does not exist.
pub(crate) fn cancel_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Response<Run>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let before = unit.resolve_run(run)?;
            let after = run_decide::cancel_run(&before, unit.now)?;
            if let Some(after) = &after {
                unit.request_sweep(after)?;
                unit.replace_run(after.clone());
            }
            let idle = task_table::list_idle_ids(unit.tx, before.id, limit::CANCEL_PIECE + 1)?;
            let is_whole = idle.len() <= limit::CANCEL_PIECE as usize;
            if is_whole {
                cancel_piece(unit, before.id, &idle)?;
                cancel_dispatched(unit, before.id)?;
            } else {
                // No worker claims what is cancelled last.
                cancel_piece(unit, before.id, &idle[..idle.len() - 1])?;
                set_run_offered(unit, before.id, false)?;
            }
            if after.is_some() {
                unit.append_event(
                    EventKind::RunCancelled,
                    EventSubject::of_run(before.id),
                    None,
                    Vec::new(),
                )?;
            }
            match is_whole {
                true => Ok(RequestDecision::Complete(unit.load_run(before.id)?.clone())),
                false => Ok(RequestDecision::Pending(before.id.0)),
            }
        },
        |session, id| cancel_rest(session, who, RunId(id)),
    )
}

/// Cancels what the first transaction left of a large run, a piece in each transaction.
fn cancel_rest(session: &mut Session, who: &Slug, run: RunId) -> Result<Run, Error> {
    let idle = session.query(|tx| Ok(task_table::list_idle_ids(tx, run, u32::MAX)?))?;
    for piece in idle.chunks(limit::CANCEL_PIECE as usize) {
        Operation::<()>::by_lead(None, who).run(session, |unit| cancel_piece(unit, run, piece))?;
    }
    Operation::<()>::by_lead(None, who).run(session, |unit| cancel_dispatched(unit, run))?;
    session.query(|tx| lookup::load_run(tx, run))
}

/// Cancels every task without a worker in one transaction; claimed work continues and may report.
pub fn cancel_idle_tasks(unit: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<(), Error> {
    let idle = task_table::list_idle_ids(unit.tx, run, u32::MAX)?;
    for piece in idle.chunks(limit::CANCEL_PIECE as usize) {
        cancel_piece(unit, run, piece)?;
    }
    cancel_dispatched(unit, run)
}

/// Cancels those of some tasks that are waiting or ready; everything that waits for them has no way to start any more.
fn cancel_piece(unit: &mut UnitOfWork<'_, '_>, run: RunId, piece: &[TaskId]) -> Result<(), Error> {
    if piece.is_empty() {
        return Ok(());
    }
    unit.save_tasks()?;
    for (state, count) in task_table::count_idle(unit.tx, piece)? {
        unit.update_run(run, |run| run.counts.move_tasks(state, TaskState::Cancelled, count))?;
    }
    unit.append_idle_transitions(piece, (EventKind::Cancelled, TaskState::Cancelled))?;
    task_table::cancel_idle(unit.tx, piece, unit.now)?;
    Ok(task_table::recount_broken(unit.tx, piece)?)
}

/// Cancels the tasks whose work no worker has claimed, after all that wait for them.
fn cancel_dispatched(unit: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<(), Error> {
    let tasks = task_table::list_in_state(unit.tx, run, TaskState::Dispatched, TaskId(0), u32::MAX)?;
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    for before in &tasks {
        let Some(after) = decide::cancel_task(before, unit.now)? else { continue };
        let ended = end_attempt(unit, before, AttemptEvent::Cancel, REASON)?;
        let event = TransitionEvent {
            thread: ended.and_then(|attempt| attempt.thread),
            ..TransitionEvent::without_data(EventKind::Cancelled, REASON)
        };
        unit.save_task(&after)?;
        unit.record_transition(before, &after, event)?;
    }
    Ok(task_table::recount_broken(unit.tx, &ids)?)
}
