//! `orch task add|list|show|edit|cancel|retry`.

use orch_core::attempt::Attempt;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{Slug, TaskId};
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

/// Which tasks are wanted.
#[derive(Clone, Debug)]
pub struct TaskListRequest {
    /// Of which run.
    pub run: Option<Slug>,
    /// In one of these states; all when empty.
    pub states: Vec<TaskState>,
    /// With this label.
    pub label: Option<Slug>,
    /// Which part.
    pub page: PageRequest,
}

/// One edge as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyStatus {
    /// The task that waits.
    pub task: orch_core::id::TaskName,
    /// The task it waits for.
    pub on: orch_core::id::TaskName,
    /// Whether that one is done.
    pub met: bool,
    /// The state of the other end: of `on` in a list of dependencies, of `task` in a list of dependents.
    pub state: TaskState,
}

/// An attempt with the text that closed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptDetail {
    /// The attempt.
    pub attempt: Attempt,
    /// The message that closed its thread.
    pub outcome: Option<Message>,
    /// Where it works.
    pub worktree: Option<Worktree>,
    /// The end of what the check printed that refused it.
    pub log_tail: Option<String>,
}

/// Everything about a task.
#[derive(Clone, Debug)]
pub struct TaskDetail {
    /// The task.
    pub shown: TaskOverview,
    /// Its long texts.
    pub text: TaskText,
    /// The run's limit of failures, which holds when the task has none of its own.
    pub max_attempts: u32,
    /// What it waits for or waited for, oldest first; at most 100.
    pub dependencies: Vec<DependencyStatus>,
    /// What waits for it, oldest first; at most 100.
    pub dependents: Vec<DependencyStatus>,
    /// Its attempts, newest first; at most 20.
    pub attempts: Vec<AttemptDetail>,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// It is given up.
    Cancel,
    /// A failed or cancelled one gets fresh tries.
    Retry,
}

/// Adds one task.
///
/// # Errors
/// The key is taken, a dependency is unknown or ended badly for good, the run is cancelled, or the store failed.
pub fn add_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    run: Option<&Slug>,
    task: &NewTask,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let run = stage.resolve_run(run)?;
        let added = graph_edit::add_task(stage, &run, task)?;
        lookup::task_overview(stage.tx, added)
    })
}

/// Lists tasks, oldest first.
///
/// # Errors
/// There is no such run, or the store failed.
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

/// Shows everything about a task.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn show_task(session: &mut Session, task: &TaskSelector) -> Result<TaskDetail, Error> {
    read_fresh(session, |tx, _| {
        let task = lookup::find_task(tx, task)?;
        let max_attempts = lookup::load_run(tx, task.run)?.policy.max_attempts;
        let (dependencies, _) = dependency::edges_of_task(tx, task.id, TaskId(0), EDGES_SHOWN)?;
        let dependents = dependency::edges_on_task(tx, task.id, TaskId(0), EDGES_SHOWN)?;
        let mut attempts = Vec::new();
        for attempt in attempt::list_by_task(tx, task.id, ATTEMPTS_SHOWN)? {
            let outcome = attempt.outcome.map(|id| message::load(tx, id)).transpose()?.flatten();
            let worktree = worktree::load(tx, attempt.id)?;
            let log_tail = attempt::load_text(tx, attempt.id)?.log_tail;
            attempts.push(AttemptDetail { attempt, outcome, worktree, log_tail });
        }
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

/// Changes a task.
///
/// # Errors
/// It is finished, its run is cancelled, a live attempt works on it, or the store failed.
pub fn edit_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    edit: &TaskEdit,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let before = lookup::find_task(stage.tx, task)?;
        let after = apply_task_edit(stage, &before, edit)?;
        lookup::task_overview(stage.tx, after)
    })
}

/// Cancels or retries a task.
///
/// # Errors
/// Its state does not allow it, or the store failed.
pub fn change_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    verb: TaskAction,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let before = lookup::find_task(stage.tx, task)?;
        let after = match verb {
            TaskAction::Cancel => cancel_task(stage, before.id, "the lead cancelled it")?,
            TaskAction::Retry => retry_task(stage, &before)?,
        };
        lookup::task_overview(stage.tx, after)
    })
}

/// How many edges each way a task's detail shows.
const EDGES_SHOWN: u32 = 100;

/// How many attempts a task's detail shows.
const ATTEMPTS_SHOWN: u32 = 20;

impl DependencyStatus {
    /// An edge as what its waiting end depends on.
    pub(crate) fn by_dependency(edge: dependency::DependencyEdge) -> Self {
        let met = edge.on_state == TaskState::Done;
        Self { task: edge.task_name, on: edge.on_name, met, state: edge.on_state }
    }

    /// An edge as who depends on its other end.
    pub(crate) fn by_dependent(edge: dependency::DependencyEdge) -> Self {
        let met = edge.on_state == TaskState::Done;
        Self { task: edge.task_name, on: edge.on_name, met, state: edge.task_state }
    }
}

/// The tasks that a list wants, one more than its limit, and how many there are in all.
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
        let mut tasks = Vec::new();
        for state in &states {
            tasks.extend(task_table::list_in_state(tx, run.id, *state, after, limit)?);
        }
        tasks.sort_by_key(|task| task.id);
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

/// Changes a task and tells it.
pub(crate) fn apply_task_edit(
    stage: &mut UnitOfWork<'_, '_>,
    before: &Task,
    edit: &TaskEdit,
) -> Result<Task, Error> {
    // Nothing could be made of it in a cancelled run.
    orch_core::run::decide::require_not_cancelled(stage.load_run(before.run)?)?;
    let after = decide::edit_task(before, edit, stage.now)?;
    task_table::save_head(stage.tx, before, &after)?;
    if edit.spec.is_some() || edit.accept.is_some() || edit.verify.is_some() {
        let mut text = task_table::load_text(stage.tx, before.id)?;
        if let Some(spec) = &edit.spec {
            text.spec = Some(spec.clone()).filter(|spec| !spec.is_empty());
        }
        if let Some(accept) = &edit.accept {
            text.accept.clone_from(accept);
        }
        if let Some(verify) = &edit.verify {
            text.verify.clone_from(verify);
        }
        task_table::save_text(stage.tx, before.id, &text)?;
    }
    let about = EventSubject { run: Some(after.run), task: Some(after.id), ..EventSubject::default() };
    stage.append_event(EventKind::TaskEdited, about, None, Vec::new())?;
    Ok(after)
}

fn retry_task(stage: &mut UnitOfWork<'_, '_>, before: &Task) -> Result<Task, Error> {
    let run = stage.load_run(before.run)?.clone();
    orch_core::run::decide::require_not_cancelled(&run)?;
    let after = match decide::retry_task(before, stage.now) {
        Err(Refusal::TaskSkipped { task, .. }) => {
            let steps = orch_core::limit::CAUSE_STEPS_MAX;
            let FailureCause { on, root } = load_failure_cause(stage.tx, before.id, steps)?;
            return Err(Refusal::TaskSkipped { task, cause: on, root }.into());
        }
        decided => decided?,
    };
    stage.apply_transition(
        before,
        &after,
        TransitionEvent::without_data(EventKind::Retried, "the lead gave it fresh tries"),
    )?;
    Ok(after)
}
