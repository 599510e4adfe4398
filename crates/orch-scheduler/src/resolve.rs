//! `--resolve` of `orch run sync`, `integrate` and `land`: tasks that resolve merge conflicts.
//!
//! Such a task is one like any other, but its worktree holds the merge of a commit into the run's branch, with the conflicts in its files, and its report must contain that commit.
//! Once it is merged, the run's branch contains the commit.
//! An attempt whose commit it is stays reported meanwhile, and is merged after it without a conflict.

use orch_core::event::EventKind;
use orch_core::id::{AttemptId, AttemptName, RunId, Slug, TaskId};
use orch_core::run::{DoneWhen, Run};
use orch_core::task::{NewTask, Task, TaskConflict, TaskState, TaskText};
use orch_core::{escape, limit};
use orch_store::Transaction;
use orch_store::table::{event, task as task_table, worktree};

use crate::operation::Operation;
use crate::unit_of_work::UnitOfWork;
use crate::verify::{WorktreeNeed, reopen_attempt};
use crate::{TaskOverview, graph_edit, lookup};
use orch_git::{MergeOutcome, Repository};
use orch_inbox::{Error, Response, Session};
use orch_workspace::run_repository::{branch_tip, open_repository, require_run_git, to_commit_id};

/// How many names are tried for a task before its key is generated.
const NAMES_TRIED: u32 = 100;

/// A task that resolves a conflict.
#[derive(Clone, Debug)]
pub struct ResolvingTask {
    /// The task.
    pub task: TaskOverview,
    /// What it merges into the run's branch, by name.
    pub from: String,
    /// The files in conflict.
    pub files: Vec<String>,
}

/// Finds the unfinished task that resolves the conflict of an attempt.
pub(crate) fn find_resolving_task(
    tx: &mut Transaction<'_>,
    run: RunId,
    attempt: AttemptId,
) -> Result<Option<TaskId>, Error> {
    let conflicts = task_table::list_conflicts(tx, run)?;
    let found = conflicts.into_iter().find(|(_, conflict)| conflict.attempt == Some(attempt));
    Ok(found.map(|(task, _)| task))
}

/// Adds a task that resolves a conflict, unless an unfinished one does.
pub(crate) fn add_resolving_task(
    session: &mut Session,
    who: &Slug,
    run: RunId,
    conflict: &TaskConflict,
    files: &[String],
) -> Result<ResolvingTask, Error> {
    let added = Operation::by_lead(None, who).run(session, |unit| {
        let run = unit.load_run(run)?.clone();
        let task = ensure_task(unit, &run, conflict, files)?;
        lookup::task_overview(unit.tx, task)
    })?;
    match added {
        Response::Fresh(task) => {
            Ok(ResolvingTask { task, from: conflict.from.clone(), files: files.to_vec() })
        }
        Response::Replayed(_) => unreachable!("an operation without a receipt is never replayed"),
    }
}

fn ensure_task(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    conflict: &TaskConflict,
    files: &[String],
) -> Result<Task, Error> {
    for (task, other) in task_table::list_conflicts(unit.tx, run.id)? {
        if other == *conflict {
            return lookup::load_task(unit.tx, task);
        }
    }
    let branch = &require_run_git(run)?.branch;
    let new = NewTask {
        key: free_key(unit, run, conflict)?,
        title: format!("Resolve the conflict of {} with {branch}", conflict.from),
        text: TaskText {
            spec: Some(resolving_spec(conflict, branch, files)),
            conflict: Some(conflict.clone()),
            ..TaskText::default()
        },
        priority: limit::PRIORITY_OF_CONFLICTS,
        labels: Vec::new(),
        agent: None,
        max_attempts: None,
        // The run's branch may get the commit meanwhile.
        allow_empty: true,
        after: Vec::new(),
    };
    graph_edit::add_task(unit, run, &new)
}

/// A key that says what is resolved; `None` where many such keys are taken.
fn free_key(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    conflict: &TaskConflict,
) -> Result<Option<Slug>, Error> {
    let name = match conflict.attempt {
        Some(attempt) => lookup::load_attempt(unit.tx, attempt)?.name.task.key.to_string(),
        None => conflict.from.clone(),
    };
    let first = Slug::from_title(&format!("resolve {name}"));
    for number in 1..=NAMES_TRIED {
        let key = if number == 1 { first.clone() } else { first.with_number(number) };
        if task_table::id_by_key(unit.tx, run.id, &key)?.is_none() {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Tells the worker what is merged, and when it is done.
fn resolving_spec(conflict: &TaskConflict, branch: &str, files: &[String]) -> String {
    let TaskConflict { commit, from, .. } = conflict;
    let listed: String = files.iter().map(|file| format!("- {file}\n")).collect();
    format!(
        "Merge {from} (commit {commit}) into the run's branch {branch} and resolve the conflicts.\n\n\
        The worktree is on the run's branch, and the merge is in progress: these files have conflict markers.\n\n\
        {listed}\n\
        Keep what both sides intend; `git log {commit}` shows the commits of {from}. \
        If no merge is in progress, begin it with `git merge {commit}`.\n\n\
        It is done when no conflict marker is left, the merge is committed so that HEAD contains {commit}, and the checks pass."
    )
}

/// Adds tasks for the attempts that conflict with the run's branch, those that were rejected because of that included.
pub(crate) fn resolve_attempts(
    session: &mut Session,
    who: &Slug,
    run: RunId,
) -> Result<Vec<ResolvingTask>, Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, run))?;
    let repository = open_repository(session, &run)?;
    let ids = session.read(|tx, _| match run.policy.done_when {
        DoneWhen::Integrated => list_rejected_by_conflict(tx, &run),
        DoneWhen::Reported | DoneWhen::Verified => {
            Ok(worktree::list_unmerged_attempts(tx, run.id, TaskState::Done)?)
        }
    })?;
    let mut added = Vec::new();
    for id in ids {
        added.extend(resolve_attempt(session, (who, &run, &repository), id)?);
    }
    Ok(added)
}

/// The last attempts of unfinished or failed tasks that were rejected because of a conflict.
fn list_rejected_by_conflict(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<AttemptId>, Error> {
    let mut found = Vec::new();
    for rejected in event::last_of_kind(tx, run.id, EventKind::Rejected)? {
        let data: serde_json::Value = serde_json::from_str(&rejected.data).unwrap_or_default();
        let Some(AttemptName { task, number }) = rejected.attempt.filter(|_| data["conflict"].is_array())
        else {
            continue;
        };
        let Some(task) = task_table::load_by_key(tx, run.id, &task.key)? else { continue };
        let is_last = task.attempt.filter(|last| last.number == number);
        if let (Some(last), false) = (is_last, task.state.is_live() || task.state == TaskState::Done) {
            found.push(last.id);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Adds a task for one attempt; `None` where it has no conflict any more, or its task cannot wait for another one.
fn resolve_attempt(
    session: &mut Session,
    (who, run, repository): (&Slug, &Run, &Repository),
    id: AttemptId,
) -> Result<Option<ResolvingTask>, Error> {
    let (attempt, tree) =
        session.read(|tx, _| Ok((lookup::load_attempt(tx, id)?, worktree::load(tx, id)?)))?;
    let Some(head) = tree.and_then(|tree| tree.head) else { return Ok(None) };
    let tip = branch_tip(repository, &require_run_git(run)?.branch)?;
    let files: Vec<String> = match repository.merge_trees(&tip, &to_commit_id(&head)?)? {
        MergeOutcome::Conflict(conflict) => {
            conflict.files.iter().map(|path| escape::path_text(path)).collect()
        }
        MergeOutcome::Merged { .. } => Vec::new(),
    };
    let conflict =
        TaskConflict { commit: head, from: attempt.name.to_string(), attempt: Some(id), is_base: false };
    let added = Operation::by_lead(None, who).run(session, |unit| {
        let task = lookup::load_task(unit.tx, attempt.task)?;
        let is_last = task.attempt.is_some_and(|last| last.id == id);
        if !is_last || task.state.is_live() {
            return Ok(None);
        }
        if task.state != TaskState::Done {
            match reopen_attempt(unit, &task, id, WorktreeNeed::None) {
                Err(Error::Refused(_)) => return Ok(None),
                reopened => reopened?,
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        let run = unit.load_run(run.id)?.clone();
        let task = ensure_task(unit, &run, &conflict, &files)?;
        lookup::task_overview(unit.tx, task).map(Some)
    })?;
    match added {
        Response::Fresh(task) => Ok(task.map(|task| ResolvingTask { task, from: conflict.from, files })),
        Response::Replayed(_) => unreachable!("an operation without a receipt is never replayed"),
    }
}
