//! Finding runs and tasks by name, and the defaults for names that were not given.

use std::cell::Cell;
use std::collections::HashMap;

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptId, RunId, Slug, TaskId, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_core::task::Task;
use orch_store::Transaction;
use orch_store::table::{attempt, dependency, run, task};

use crate::{TaskOverview, TaskSelector};
use orch_inbox::Error;

/// Finds the named run, else the only unfinished run, else the run that changed last.
pub fn find_run(tx: &mut Transaction<'_>, name: Option<&Slug>) -> Result<Run, Error> {
    let found = match name {
        Some(name) => run::load_by_name(tx, name)?,
        None => {
            let mut unfinished = run::list_unfinished(tx)?;
            match unfinished.len() {
                0 => {
                    FOUND_BY.set(Some(FoundBy::Newest));
                    run::load_last_changed(tx)?
                }
                1 => {
                    FOUND_BY.set(Some(FoundBy::Only));
                    Some(unfinished.remove(0))
                }
                _ => {
                    let runs = unfinished.into_iter().map(|run| run.name).collect();
                    return Err(Refusal::RunAmbiguous { runs }.into());
                }
            }
        }
    };
    let found = found.ok_or_else(|| Refusal::RunNotFound { run: name.cloned() })?;
    FOUND_RUN.set(Some(found.name.clone()));
    Ok(found)
}

/// How a run without a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// It is the only unfinished one.
    Only,
    /// It changed last, and none is unfinished.
    Newest,
}

/// Returns how this thread last found a run without a name, and forgets it.
pub fn take_found_by() -> Option<FoundBy> {
    FOUND_BY.take()
}

thread_local! {
    /// How this thread last found a run without a name.
    static FOUND_BY: Cell<Option<FoundBy>> = const { Cell::new(None) };
    /// The last run that this thread found, for the meter.
    static FOUND_RUN: Cell<Option<Slug>> = const { Cell::new(None) };
}

/// Returns the last run that this thread found, and forgets it.
pub fn take_found_run() -> Option<Slug> {
    FOUND_RUN.take()
}

/// Finds the named run, else all unfinished runs, else the run that changed last, if there is one.
pub fn find_runs(tx: &mut Transaction<'_>, name: Option<&Slug>) -> Result<Vec<Run>, Error> {
    if name.is_some() {
        return Ok(vec![find_run(tx, name)?]);
    }
    let unfinished = run::list_unfinished(tx)?;
    if unfinished.is_empty() { Ok(run::load_last_changed(tx)?.into_iter().collect()) } else { Ok(unfinished) }
}

/// Loads a run by its id.
pub fn load_run(tx: &mut Transaction<'_>, id: RunId) -> Result<Run, Error> {
    run::load(tx, id)?.ok_or_else(|| missing_row("run", id.0))
}

/// Finds a task by its selector.
pub fn find_task(tx: &mut Transaction<'_>, wanted: &TaskSelector) -> Result<Task, Error> {
    let run = find_run(tx, wanted.run.as_ref())?;
    find_task_in_run(tx, &run, &wanted.key)
}

/// Finds a task of a run by its key.
pub(crate) fn find_task_in_run(tx: &mut Transaction<'_>, run: &Run, key: &Slug) -> Result<Task, Error> {
    task::load_by_key(tx, run.id, key)?.ok_or_else(|| {
        Refusal::TaskNotFound { task: TaskName { run: run.name.clone(), key: key.clone() } }.into()
    })
}

/// Loads a task by its id.
pub(crate) fn load_task(tx: &mut Transaction<'_>, id: TaskId) -> Result<Task, Error> {
    task::load(tx, id)?.ok_or_else(|| missing_row("task", id.0))
}

/// Loads an attempt by its id.
pub(crate) fn load_attempt(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Attempt, Error> {
    attempt::load(tx, id)?.ok_or_else(|| missing_row("attempt", id.0))
}

/// Loads what the short form of a task shows.
pub fn task_overview(tx: &mut Transaction<'_>, task: Task) -> Result<TaskOverview, Error> {
    let waits_for =
        if has_open_dependencies(&task) { dependency::waits_for(tx, task.id)? } else { Vec::new() };
    let worker = match live_attempt(&task) {
        Some(id) => attempt::load(tx, id)?.map(|attempt| attempt.agent),
        None => None,
    };
    Ok(TaskOverview { task, waits_for, worker })
}

/// Loads what the short form of several tasks shows, in two statements at most.
pub fn task_overviews(tx: &mut Transaction<'_>, tasks: Vec<Task>) -> Result<Vec<TaskOverview>, Error> {
    let waiting: Vec<TaskId> =
        tasks.iter().filter(|task| has_open_dependencies(task)).map(|task| task.id).collect();
    let mut waits_for: HashMap<TaskId, Vec<Slug>> = HashMap::new();
    if !waiting.is_empty() {
        for (task, key) in dependency::waits_for_many(tx, &waiting)? {
            waits_for.entry(task).or_default().push(key);
        }
    }
    let live: Vec<AttemptId> = tasks.iter().filter_map(live_attempt).collect();
    let mut workers: HashMap<AttemptId, Slug> = HashMap::new();
    if !live.is_empty() {
        workers.extend(attempt::load_many(tx, &live)?.into_iter().map(|attempt| (attempt.id, attempt.agent)));
    }
    let overview = |task: Task| TaskOverview {
        waits_for: waits_for.remove(&task.id).unwrap_or_default(),
        worker: live_attempt(&task).and_then(|id| workers.get(&id).cloned()),
        task,
    };
    Ok(tasks.into_iter().map(overview).collect())
}

fn has_open_dependencies(task: &Task) -> bool {
    task.unmet > task.broken
}

fn live_attempt(task: &Task) -> Option<AttemptId> {
    task.attempt.filter(|_| task.state.is_live()).map(|last| last.id)
}

/// Returns the error of a row that another row refers to and that does not exist: the store is damaged.
pub fn missing_row(table: &'static str, id: i64) -> Error {
    orch_store::Fault::Value { table, value: format!("no row {id}") }.into()
}
