//! `orch task cancel` and `orch task retry`.

use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::task::{Task, decide};

use crate::not_ready::{FailureCause, load_failure_cause};
use crate::operation::Operation;
use crate::task_end::cancel_task;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// A change of a task's state by the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// Cancels the task.
    Cancel,
    /// Retries a failed or cancelled task.
    Retry,
}

/// Cancels or retries a task.
///
/// # Errors
/// The state of the task does not allow it.
pub fn change_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    verb: TaskAction,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let before = lookup::find_task(unit.tx, task)?;
        let after = match verb {
            TaskAction::Cancel => cancel_task(unit, before.id, "the lead cancelled it")?,
            TaskAction::Retry => retry_task(unit, &before)?,
        };
        lookup::task_overview(unit.tx, after)
    })
}

fn retry_task(unit: &mut UnitOfWork<'_, '_>, before: &Task) -> Result<Task, Error> {
    let run = unit.load_run(before.run)?.clone();
    orch_core::run::decide::require_not_cancelled(&run)?;
    let after = match decide::retry_task(before, unit.now) {
        Err(Refusal::TaskSkipped { task, .. }) => {
            let steps = limit::CAUSE_STEPS_MAX;
            let FailureCause { on, root } = load_failure_cause(unit.tx, before.id, steps)?;
            return Err(Refusal::TaskSkipped { task, cause: on, root }.into());
        }
        decided => decided?,
    };
    unit.apply_transition(
        before,
        &after,
        TransitionEvent::without_data(EventKind::Retried, "the lead gave it fresh tries"),
    )?;
    Ok(after)
}
