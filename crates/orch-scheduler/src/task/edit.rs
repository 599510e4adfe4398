//! `orch task edit`: edits a task.

use orch_core::event::{EventKind, EventSubject};
use orch_core::id::Slug;
use orch_core::run::decide::{require_checkable, require_not_cancelled};
use orch_core::task::{Task, TaskEdit, TaskState, decide};
use orch_store::table::{task as task_table, thread};

use crate::operation::Operation;
use crate::unit_of_work::UnitOfWork;
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// Edits a task.
///
/// # Errors
/// The task is finished or live, or its run is cancelled.
pub fn edit_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    edit: &TaskEdit,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let before = lookup::find_task(unit.tx, task)?;
        let after = apply_task_edit(unit, &before, edit)?;
        lookup::task_overview(unit.tx, after)
    })
}

/// Edits a task and appends the event.
pub(crate) fn apply_task_edit(
    unit: &mut UnitOfWork<'_, '_>,
    before: &Task,
    edit: &TaskEdit,
) -> Result<Task, Error> {
    let run = unit.load_run(before.run)?;
    require_not_cancelled(run)?;
    require_checkable(run, edit.verify.as_deref().unwrap_or_default())?;
    let after = decide::edit_task(before, edit, unit.now)?;
    task_table::save_head(unit.tx, before, &after)?;
    if edit.spec.is_some() || edit.accept.is_some() || edit.verify.is_some() || edit.review.is_some() {
        let mut text = task_table::load_text(unit.tx, before.id)?;
        if let Some(spec) = &edit.spec {
            text.spec = Some(spec.clone()).filter(|spec| !spec.is_empty());
        }
        text.review = edit.review.or(text.review);
        if let Some(accept) = &edit.accept {
            text.accept.clone_from(accept);
        }
        if let Some(verify) = &edit.verify {
            text.verify.clone_from(verify);
        }
        task_table::save_text(unit.tx, before.id, &text)?;
    }
    if after.priority != before.priority
        && let Some(last) = &after.attempt
        && after.state == TaskState::Dispatched
    {
        thread::change_queued_priority(unit.tx, last.id, after.priority)?;
    }
    let about = EventSubject { run: Some(after.run), task: Some(after.id), ..EventSubject::default() };
    unit.append_event(EventKind::TaskEdited, about, None, Vec::new())?;
    Ok(after)
}
