//! `orch task add|list|show|edit|cancel|retry`.

use orch_core::attempt::Attempt;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{AttemptId, MessageId, Slug, TaskId};
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_core::task::{NewTask, Task, TaskEdit, TaskState, TaskText, decide};
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{attempt, dependency, message, task as task_table, worktree};

use super::fresh_read::read_fresh;
use super::not_ready::{FailureCause, load_failure_cause};
use super::operation::Operation;
use super::task_end::cancel_task;
use super::unit_of_work::{TransitionEvent, UnitOfWork};
use super::{TaskOverview, TaskSelector, graph_edit, lookup};
use orch_inbox::page::cut_page;
use orch_inbox::{Error, Receipt, Response, Session};

/// A selection of tasks.
#[derive(Clone, Debug)]
pub struct TaskListRequest {
    /// The run.
    pub run: Option<Slug>,
    /// Only tasks in these states; all states when empty.
    pub states: Vec<TaskState>,
    /// Only tasks with this label.
    pub label: Option<Slug>,
    /// The page.
    pub page: PageRequest,
}

/// A dependency with the state of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyStatus {
    /// The dependent task.
    pub task: orch_core::id::TaskName,
    /// The task that it depends on.
    pub on: orch_core::id::TaskName,
    /// Whether `on` is done.
    pub met: bool,
    /// The state of the other end: of `on` in a list of dependencies, of `task` in a list of dependents.
    pub state: TaskState,
}

/// An attempt with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptDetail {
    /// The attempt.
    pub attempt: Attempt,
    /// The message that closed its thread.
    pub outcome: Option<Message>,
    /// Its worktree.
    pub worktree: Option<Worktree>,
    /// The end of the output of the check that rejected it.
    pub log_tail: Option<String>,
}

/// All details of a task.
#[derive(Clone, Debug)]
pub struct TaskDetail {
    /// The task.
    pub shown: TaskOverview,
    /// Its long texts.
    pub text: TaskText,
    /// The run's limit of failures, for a task without a limit of its own.
    pub max_attempts: u32,
    /// Its dependencies, oldest first; at most 100.
    pub dependencies: Vec<DependencyStatus>,
    /// Its dependents, oldest first; at most 100.
    pub dependents: Vec<DependencyStatus>,
    /// Its attempts, newest first; at most 20.
    pub attempts: Vec<AttemptDetail>,
}

/// A change of a task's state by the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// Cancels the task.
    Cancel,
    /// Retries a failed or cancelled task.
    Retry,
}

/// Adds one task.
///
/// # Errors
/// The key is taken, a dependency does not exist, or the run is cancelled.
pub fn add_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    run: Option<&Slug>,
    task: &NewTask,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let run = unit.resolve_run(run)?;
        let added = graph_edit::add_task(unit, &run, task)?;
        lookup::task_overview(unit.tx, added)
    })
}

/// Lists tasks, oldest first.
///
/// # Errors
/// The run does not exist.
pub fn list_tasks(
    session: &mut Session,
    request: &TaskListRequest,
) -> Result<ResultPage<TaskOverview>, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, request.run.as_ref())?;
        let after = super::run::task_cursor(tx, &run, &request.page)?;
        let (tasks, total) = select_tasks(tx, &run, request, after)?;
        let shown = lookup::task_overviews(tx, tasks)?;
        let total = u64::try_from(total).unwrap_or(0);
        Ok(cut_page(shown, request.page.limit, total, |shown: &TaskOverview| shown.task.name.key.to_string()))
    })
}

/// Shows all details of a task.
///
/// # Errors
/// The task does not exist.
pub fn show_task(session: &mut Session, task: &TaskSelector) -> Result<TaskDetail, Error> {
    read_fresh(session, |tx, _| {
        let task = lookup::find_task(tx, task)?;
        let max_attempts = lookup::load_run(tx, task.run)?.policy.max_attempts;
        let (dependencies, _) = dependency::edges_of_task(tx, task.id, TaskId(0), EDGES_SHOWN)?;
        let dependents = dependency::edges_on_task(tx, task.id, TaskId(0), EDGES_SHOWN)?;
        let attempts = load_attempt_details(tx, &task)?;
        Ok(TaskDetail {
            text: task_table::load_text(tx, task.id)?,
            max_attempts,
            dependencies: dependencies.into_iter().map(DependencyStatus::by_dependency).collect(),
            dependents: dependents.into_iter().map(DependencyStatus::by_dependent).collect(),
            attempts,
            shown: lookup::task_overview(tx, task)?,
        })
    })
}

fn load_attempt_details(tx: &mut Transaction<'_>, task: &Task) -> Result<Vec<AttemptDetail>, Error> {
    if task.attempt.is_none() {
        return Ok(Vec::new());
    }
    let attempts = attempt::list_by_task(tx, task.id, ATTEMPTS_SHOWN)?;
    let ids: Vec<AttemptId> = attempts.iter().map(|attempt| attempt.id).collect();
    let outcomes: Vec<MessageId> = attempts.iter().filter_map(|attempt| attempt.outcome).collect();
    let messages = message::load_many(tx, &outcomes)?;
    let worktrees = worktree::load_many(tx, &ids)?;
    let mut texts = attempt::load_texts(tx, &ids)?;
    let detail = |attempt: Attempt| AttemptDetail {
        outcome: messages.iter().find(|message| Some(message.id) == attempt.outcome).cloned(),
        worktree: worktrees.iter().find(|tree| tree.attempt == attempt.id).cloned(),
        log_tail: texts.remove(&attempt.id).and_then(|text| text.log_tail),
        attempt,
    };
    Ok(attempts.into_iter().map(detail).collect())
}

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

/// How many dependencies, and how many dependents, the details show.
const EDGES_SHOWN: u32 = 100;

/// How many attempts the details show.
const ATTEMPTS_SHOWN: u32 = 20;

impl DependencyStatus {
    /// Describes a dependency for a list of dependencies.
    pub(crate) fn by_dependency(edge: dependency::DependencyEdge) -> Self {
        let met = edge.on_state == TaskState::Done;
        Self { task: edge.task_name, on: edge.on_name, met, state: edge.on_state }
    }

    /// Describes a dependency for a list of dependents.
    pub(crate) fn by_dependent(edge: dependency::DependencyEdge) -> Self {
        let met = edge.on_state == TaskState::Done;
        Self { task: edge.task_name, on: edge.on_name, met, state: edge.task_state }
    }
}

/// Selects tasks, one more than the limit, and counts them.
fn select_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    request: &TaskListRequest,
    after: TaskId,
) -> Result<(Vec<Task>, i64), Error> {
    let limit = request.page.limit.saturating_add(1);
    let mut states = request.states.clone();
    states.sort_unstable();
    states.dedup();
    let Some(label) = &request.label else {
        if states.is_empty() {
            return Ok((task_table::list(tx, run.id, after, limit)?, run.counts.total()));
        }
        let tasks = task_table::list_in_states(tx, run.id, &states, after, limit)?;
        return Ok((tasks, states.iter().map(|state| run.counts.in_state(*state)).sum()));
    };
    if states.is_empty() {
        return Ok(task_table::list_labelled(tx, run.id, label, None, after, limit)?);
    }
    let (mut tasks, mut total) = (Vec::new(), 0);
    for state in &states {
        let (found, count) = task_table::list_labelled(tx, run.id, label, Some(*state), after, limit)?;
        tasks.extend(found);
        total += count;
    }
    tasks.sort_by_key(|task| task.id);
    Ok((tasks, total))
}

/// Edits a task and appends the event.
pub(crate) fn apply_task_edit(
    unit: &mut UnitOfWork<'_, '_>,
    before: &Task,
    edit: &TaskEdit,
) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(unit.load_run(before.run)?)?;
    let after = decide::edit_task(before, edit, unit.now)?;
    task_table::save_head(unit.tx, before, &after)?;
    if edit.spec.is_some() || edit.accept.is_some() || edit.verify.is_some() {
        let mut text = task_table::load_text(unit.tx, before.id)?;
        if let Some(spec) = &edit.spec {
            text.spec = Some(spec.clone()).filter(|spec| !spec.is_empty());
        }
        if let Some(accept) = &edit.accept {
            text.accept.clone_from(accept);
        }
        if let Some(verify) = &edit.verify {
            text.verify.clone_from(verify);
        }
        task_table::save_text(unit.tx, before.id, &text)?;
    }
    let about = EventSubject { run: Some(after.run), task: Some(after.id), ..EventSubject::default() };
    unit.append_event(EventKind::TaskEdited, about, None, Vec::new())?;
    Ok(after)
}

fn retry_task(unit: &mut UnitOfWork<'_, '_>, before: &Task) -> Result<Task, Error> {
    let run = unit.load_run(before.run)?.clone();
    orch_core::run::decide::require_not_cancelled(&run)?;
    let after = match decide::retry_task(before, unit.now) {
        Err(Refusal::TaskSkipped { task, .. }) => {
            let steps = orch_core::limit::CAUSE_STEPS_MAX;
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
