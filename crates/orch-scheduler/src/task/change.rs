//! `orch task cancel`, `retry`, `hold` and `unhold`, and `orch recall`: changes of one or several tasks at once.

use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{Slug, TaskName};
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::task::{Task, TaskEdit, TaskState, decide};
use orch_store::table::{dependency, task as task_table};

use crate::not_ready::{FailureCause, load_failure_cause};
use crate::operation::Operation;
use crate::recall::recall_task;
use crate::task_end::{cancel_task, refuse_while_merging};
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use crate::{TaskOverview, TaskSelector, graph_edit, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

use super::edit::apply_task_edit;

/// A change of a task's state by the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// Cancels the task.
    Cancel,
    /// Retries a failed or cancelled task.
    Retry,
    /// Ends the live attempt without counting it.
    Recall,
    /// Holds the task back.
    Hold,
    /// Lets a held task be dispatched again.
    Unhold,
}

/// A change of one or several tasks.
#[derive(Clone, Debug)]
pub struct TaskChange {
    /// The change.
    pub action: TaskAction,
    /// Why, in the lead's words.
    pub reason: Option<String>,
    /// A note that is appended to the instructions.
    pub note: Option<String>,
    /// New instructions.
    pub spec: Option<String>,
}

impl TaskChange {
    /// Returns a change without words of the lead.
    #[must_use]
    pub fn of(action: TaskAction) -> Self {
        Self { action, reason: None, note: None, spec: None }
    }
}

/// The outcome of a change of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskChangeOutcome {
    /// The tasks, as they are now.
    pub tasks: Vec<TaskOverview>,
    /// Other tasks that are skipped now.
    pub skipped: Vec<TaskName>,
    /// Other tasks that are no longer skipped.
    pub unskipped: Vec<TaskName>,
    /// The dependencies that skip tasks now: the dependent task, and the one it depends on.
    pub broken: Vec<(TaskName, Slug)>,
}

/// Changes a task.
///
/// # Errors
/// The state of the task does not allow it.
pub fn change_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    action: TaskAction,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let before = lookup::find_task(unit.tx, task)?;
        let after = apply_change(unit, &before, &TaskChange::of(action))?;
        lookup::task_overview(unit.tx, after)
    })
}

/// Changes several tasks, all or none.
///
/// # Errors
/// The state of a task does not allow it.
pub fn change_tasks(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskChangeOutcome>>,
    who: &Slug,
    tasks: &[TaskSelector],
    change: &TaskChange,
) -> Result<Response<TaskChangeOutcome>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let mut named = Vec::with_capacity(tasks.len());
        for task in tasks {
            let before = lookup::find_task(unit.tx, task)?;
            apply_change(unit, &before, change)?;
            if !named.contains(&before.id) {
                named.push(before.id);
            }
        }
        let mut after = task_table::load_many(unit.tx, &named)?;
        after.sort_by_key(|task| named.iter().position(|id| *id == task.id));
        let mut outcome = TaskChangeOutcome::default();
        for change in &unit.changes {
            let list = match (change.from, change.to) {
                (_, to) if to == TaskState::Skipped.name() => &mut outcome.skipped,
                (from, _) if from == TaskState::Skipped.name() => &mut outcome.unskipped,
                _ => continue,
            };
            if !after.iter().any(|task| task.name == change.task) && !list.contains(&change.task) {
                list.push(change.task.clone());
            }
        }
        outcome.broken = broken_dependencies(unit, &after, &outcome.skipped)?;
        outcome.tasks = lookup::task_overviews(unit.tx, after)?;
        Ok(outcome)
    })
}

/// How many broken dependencies an outcome names.
const BROKEN_NAMED: usize = 20;

/// Returns the dependencies of skipped tasks on the tasks that were changed.
fn broken_dependencies(
    unit: &mut UnitOfWork<'_, '_>,
    changed: &[Task],
    skipped: &[TaskName],
) -> Result<Vec<(TaskName, Slug)>, Error> {
    let mut broken = Vec::new();
    let mut runs: Vec<_> = changed.iter().map(|task| task.run).collect();
    runs.dedup();
    for id in runs {
        let run = unit.load_run(id)?.clone();
        let keys: Vec<Slug> =
            skipped.iter().filter(|task| task.run == run.name).map(|task| task.key.clone()).collect();
        if keys.is_empty() {
            continue;
        }
        let tasks = graph_edit::load_named(unit.tx, &run, keys.iter())?;
        let ids: Vec<_> = tasks.values().map(|task| task.id).collect();
        let by_id = |id| tasks.values().find(|task| task.id == id).map(|task| task.name.clone());
        for (task, on) in dependency::dependency_keys_many(unit.tx, &ids)? {
            let is_changed = changed.iter().any(|one| one.run == id && one.name.key == on);
            if let Some(name) = by_id(task).filter(|_| is_changed && broken.len() < BROKEN_NAMED) {
                broken.push((name, on));
            }
        }
    }
    Ok(broken)
}

fn apply_change(unit: &mut UnitOfWork<'_, '_>, before: &Task, change: &TaskChange) -> Result<Task, Error> {
    let reason = change.reason.as_deref().filter(|reason| !reason.is_empty());
    match change.action {
        TaskAction::Cancel => {
            refuse_while_merging(unit, before)?;
            cancel_task(unit, before.id, reason.unwrap_or("the lead cancelled it"))
        }
        TaskAction::Recall => recall_task(unit, before, reason),
        TaskAction::Hold | TaskAction::Unhold => {
            hold_task(unit, before, change.action == TaskAction::Hold, reason)
        }
        TaskAction::Retry => {
            let after = retry_task(unit, before, reason)?;
            match new_instructions(unit, before, change)? {
                Some(spec) => {
                    apply_task_edit(unit, &after, &TaskEdit { spec: Some(spec), ..TaskEdit::default() })
                }
                None => Ok(after),
            }
        }
    }
}

/// Returns the new instructions of a task: the new ones or its own, and the note behind them.
fn new_instructions(
    unit: &mut UnitOfWork<'_, '_>,
    task: &Task,
    change: &TaskChange,
) -> Result<Option<String>, Error> {
    let Some(note) = change.note.as_deref().filter(|note| !note.is_empty()) else {
        return Ok(change.spec.clone());
    };
    let spec = match &change.spec {
        Some(spec) => Some(spec.clone()),
        None => task_table::load_text(unit.tx, task.id)?.spec,
    };
    Ok(Some(add_note(spec, note)))
}

/// Returns instructions with a note behind them.
pub(super) fn add_note(spec: Option<String>, note: &str) -> String {
    match spec {
        Some(spec) => format!("{}\n\nNote: {note}", spec.trim_end()),
        None => format!("Note: {note}"),
    }
}

fn retry_task(unit: &mut UnitOfWork<'_, '_>, before: &Task, reason: Option<&str>) -> Result<Task, Error> {
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
    let reason = reason.unwrap_or("the lead gave it fresh tries");
    unit.apply_transition(before, &after, TransitionEvent::without_data(EventKind::Retried, reason))?;
    Ok(after)
}

fn hold_task(
    unit: &mut UnitOfWork<'_, '_>,
    before: &Task,
    held: bool,
    reason: Option<&str>,
) -> Result<Task, Error> {
    let Some(after) = decide::hold_task(before, held, unit.now)? else { return Ok(before.clone()) };
    task_table::save_held(unit.tx, &after)?;
    let about = EventSubject { run: Some(after.run), task: Some(after.id), ..EventSubject::default() };
    let mut data = vec![("held", i64::from(held).into())];
    data.extend(reason.map(|reason| ("reason", reason.into())));
    unit.append_event(EventKind::TaskEdited, about, None, data)?;
    Ok(after)
}
