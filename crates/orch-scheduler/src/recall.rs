//! `orch recall`: ends the live attempt without counting a failure.

use orch_core::attempt::state::AttemptEvent;
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::task::{Task, decide};

use crate::operation::Operation;
use crate::task_end::{end_attempt, refuse_while_merging};
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// Recalls the live attempt of a task.
///
/// # Errors
/// The task has no live attempt.
pub fn recall_attempt(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    reason: Option<&str>,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let before = lookup::find_task(unit.tx, task)?;
        let after = recall_task(unit, &before, reason)?;
        lookup::task_overview(unit.tx, after)
    })
}

/// Ends the live attempt of a task without counting it.
pub(crate) fn recall_task(
    unit: &mut UnitOfWork<'_, '_>,
    before: &Task,
    reason: Option<&str>,
) -> Result<Task, Error> {
    let status = unit.load_run(before.run)?.state.status();
    let after = decide::recall_attempt(before, status, unit.now)?;
    refuse_while_merging(unit, before)?;
    let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or("the lead recalled it");
    let ended = end_attempt(unit, before, AttemptEvent::Recall, reason)?;
    let event = TransitionEvent {
        thread: ended.and_then(|attempt| attempt.thread),
        data: vec![("reason", reason.into())],
        ..TransitionEvent::without_data(EventKind::Recalled, "the lead recalled it")
    };
    unit.apply_transition(before, &after, event)?;
    Ok(after)
}
