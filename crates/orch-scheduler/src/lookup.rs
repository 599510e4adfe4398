//! Which run, which runs, which task: how names that were not given are settled.

use orch_core::id::{RunId, Slug, TaskId, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_core::task::Task;
use orch_store::Transaction;
use orch_store::table::{attempt, dependency, run, task};

use super::{TaskOverview, TaskSelector};
use orch_inbox::Error;

/// The named run; else the only unfinished one; else the one that changed last.
pub fn find_run(tx: &mut Transaction<'_>, name: Option<&Slug>) -> Result<Run, Error> {
    if let Some(name) = name {
        let found = run::load_by_name(tx, name)?;
        return found.ok_or_else(|| Refusal::RunNotFound { run: Some(name.clone()) }.into());
    }
    let mut unfinished = run::list_unfinished(tx)?;
    match unfinished.len() {
        0 => run::load_last_changed(tx)?.ok_or_else(|| Refusal::RunNotFound { run: None }.into()),
        1 => Ok(unfinished.remove(0)),
        _ => {
            let runs = unfinished.into_iter().map(|run| run.name).collect();
            Err(Refusal::RunAmbiguous { runs }.into())
        }
    }
}

/// The named run; else all unfinished ones; else the one that changed last, if there is any.
pub fn find_runs(tx: &mut Transaction<'_>, name: Option<&Slug>) -> Result<Vec<Run>, Error> {
    if name.is_some() {
        return Ok(vec![find_run(tx, name)?]);
    }
    let unfinished = run::list_unfinished(tx)?;
    if unfinished.is_empty() { Ok(run::load_last_changed(tx)?.into_iter().collect()) } else { Ok(unfinished) }
}

/// The run with this key.
pub fn load_run(tx: &mut Transaction<'_>, id: RunId) -> Result<Run, Error> {
    run::load(tx, id)?.ok_or_else(|| missing_row("run", id.0))
}

/// The task that was named.
pub(crate) fn find_task(tx: &mut Transaction<'_>, wanted: &TaskSelector) -> Result<Task, Error> {
    let run = find_run(tx, wanted.run.as_ref())?;
    find_task_in_run(tx, &run, &wanted.key)
}

/// The task of a run with this key.
pub(crate) fn find_task_in_run(tx: &mut Transaction<'_>, run: &Run, key: &Slug) -> Result<Task, Error> {
    task::load_by_key(tx, run.id, key)?.ok_or_else(|| {
        Refusal::TaskNotFound { task: TaskName { run: run.name.clone(), key: key.clone() } }.into()
    })
}

/// The task with this number.
pub(crate) fn load_task(tx: &mut Transaction<'_>, id: TaskId) -> Result<Task, Error> {
    task::load(tx, id)?.ok_or_else(|| missing_row("task", id.0))
}

/// What the short form of a task shows.
pub(crate) fn task_overview(tx: &mut Transaction<'_>, task: Task) -> Result<TaskOverview, Error> {
    let waits_for = if task.unmet > task.broken { dependency::waits_for(tx, task.id)? } else { Vec::new() };
    let worker = match task.attempt.filter(|_| task.state.is_live()) {
        Some(last) => attempt::load(tx, last.id)?.map(|attempt| attempt.agent),
        None => None,
    };
    Ok(TaskOverview { task, waits_for, worker })
}

/// A row that another row names and that is not there: the store is damaged.
pub(crate) fn missing_row(table: &'static str, id: i64) -> Error {
    orch_store::Fault::Value { table, value: format!("no row {id}") }.into()
}
