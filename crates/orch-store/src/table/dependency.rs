//! Dependencies: edges between tasks.

use orch_core::id::{RunId, Slug, TaskId, TaskName};
use orch_core::task::TaskState;

use super::{count_column, id_list, name_column, slug_column};
use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! edges {
    ($rest:literal) => {
        concat!(
            "SELECT d.task_id, d.on_id, r.name, t.key, t.state, o.key, o.state FROM dependency d
            JOIN task t ON t.id = d.task_id JOIN task o ON o.id = d.on_id JOIN run r ON r.id = t.run_id ",
            $rest
        )
    };
}

statements! {
    const INSERT = "INSERT INTO dependency (task_id, on_id) VALUES ($1, $2)";
    const INSERT_MANY =
        "INSERT INTO dependency (task_id, on_id) SELECT CAST($1 AS BIGINT), CAST(value AS BIGINT) FROM json_each($2)";
    const DELETE = "DELETE FROM dependency WHERE task_id = $1 AND on_id = $2";
    const EXISTS = "SELECT count(*) FROM dependency WHERE task_id = $1 AND on_id = $2";
    const DEPENDENTS = "SELECT task_id FROM dependency WHERE on_id = $1 ORDER BY task_id";
    const DEPENDENTS_MANY = "SELECT on_id, task_id FROM dependency
        WHERE on_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY on_id, task_id";
    const RANKED_DEPENDENTS = "SELECT t.id, t.rank FROM dependency d JOIN task t ON t.id = d.task_id WHERE d.on_id = $1 ORDER BY d.task_id";
    const RANKED_DEPENDENCIES = "SELECT t.id, t.rank FROM dependency d JOIN task t ON t.id = d.on_id WHERE d.task_id = $1 ORDER BY d.on_id";
    const LONGEST_DEPENDENT =
        "SELECT max(t.rank) FROM dependency d JOIN task t ON t.id = d.task_id WHERE d.on_id = $1";
    const WAITS_FOR = "SELECT t.key FROM dependency d JOIN task t ON t.id = d.on_id
        WHERE d.task_id = $1 AND t.state NOT IN ('done', 'failed', 'skipped', 'cancelled') ORDER BY d.on_id";
    const WAITS_FOR_MANY = "SELECT t.key, d.task_id FROM dependency d JOIN task t ON t.id = d.on_id
        WHERE d.task_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
        AND t.state NOT IN ('done', 'failed', 'skipped', 'cancelled') ORDER BY d.task_id, d.on_id";
    const BROKEN_MANY = "SELECT t.key, d.task_id FROM dependency d JOIN task t ON t.id = d.on_id
        WHERE d.task_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
        AND t.state IN ('failed', 'skipped', 'cancelled') ORDER BY d.task_id, d.on_id";
    // Walks back from each task to its first failed or cancelled dependency, through skipped ones.
    const ROOT_CAUSES = "WITH RECURSIVE part_back (origin, id, state, step) AS (
        SELECT CAST(value AS BIGINT), CAST(value AS BIGINT), CAST('skipped' AS TEXT), 0 FROM json_each($1)
        UNION ALL SELECT part_back.origin, w.id, w.state, part_back.step + 1 FROM part_back JOIN task w ON w.id = (
        SELECT t.id FROM dependency d JOIN task t ON t.id = d.on_id
        WHERE d.task_id = part_back.id AND t.state IN ('failed', 'skipped', 'cancelled')
        ORDER BY CASE t.state WHEN 'skipped' THEN 1 ELSE 0 END, t.id LIMIT 1)
        WHERE part_back.state = 'skipped' AND part_back.step < CAST($2 AS BIGINT))
        SELECT t.key, part_back.origin FROM part_back JOIN task t ON t.id = part_back.id WHERE part_back.state <> 'skipped'";
    const KEYS =
        "SELECT t.key FROM dependency d JOIN task t ON t.id = d.on_id WHERE d.task_id = $1 ORDER BY d.on_id";
    const KEYS_MANY = "SELECT t.key, d.task_id FROM dependency d JOIN task t ON t.id = d.on_id
        WHERE d.task_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY d.task_id, d.on_id";
    const OF_RANGE = "SELECT d.task_id, d.on_id, o.key, o.state FROM task t INDEXED BY task_order JOIN dependency d ON d.task_id = t.id
        JOIN task o ON o.id = d.on_id WHERE t.run_id = $1 AND t.id > $2 AND t.id <= $3 ORDER BY d.task_id, d.on_id";
    const EDGES_OF_RUN =
        edges!("WHERE t.run_id = $1 AND (d.task_id, d.on_id) > ($2, $3) ORDER BY d.task_id, d.on_id LIMIT $4");
    const EDGES_OF_TASK = edges!("WHERE d.task_id = $1 AND d.on_id > $2 ORDER BY d.on_id LIMIT $3");
    const EDGES_ON_TASK = edges!("WHERE d.on_id = $1 AND d.task_id > $2 ORDER BY d.task_id LIMIT $3");
    const COUNT_OF_RUN =
        "SELECT count(*) FROM dependency d JOIN task t ON t.id = d.task_id WHERE t.run_id = $1";
    const COUNT_OF_TASK = "SELECT count(*) FROM dependency WHERE task_id = $1";
}

/// An edge with both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyEdge {
    /// The task that waits.
    pub task: TaskId,
    /// The task it waits for.
    pub on: TaskId,
    /// The name of the waiting task.
    pub task_name: TaskName,
    /// Its state.
    pub task_state: TaskState,
    /// The name of the dependency.
    pub on_name: TaskName,
    /// The state of the dependency.
    pub on_state: TaskState,
}

fn edge_from_row(row: &dyn SqlRow) -> Result<DependencyEdge, Fault> {
    let run = slug_column(row, 2)?;
    Ok(DependencyEdge {
        task: TaskId(row.int(0)?),
        on: TaskId(row.int(1)?),
        task_name: TaskName { run: run.clone(), key: slug_column(row, 3)? },
        task_state: name_column(row, 4, "task", TaskState::parse)?,
        on_name: TaskName { run, key: slug_column(row, 5)? },
        on_state: name_column(row, 6, "task", TaskState::parse)?,
    })
}

fn ranked_from_row(row: &dyn SqlRow) -> Result<(TaskId, u32), Fault> {
    Ok((TaskId(row.int(0)?), count_column(row, 1)?))
}

/// Adds an edge.
pub fn insert(tx: &mut Transaction<'_>, task: TaskId, on: TaskId) -> Result<(), Fault> {
    tx.execute(INSERT, &[task.0.into(), on.0.into()]).map(|_| ())
}

/// Deletes an edge; returns whether it existed.
pub fn delete(tx: &mut Transaction<'_>, task: TaskId, on: TaskId) -> Result<bool, Fault> {
    tx.execute(DELETE, &[task.0.into(), on.0.into()]).map(|rows| rows > 0)
}

/// Returns whether an edge exists.
pub fn exists(tx: &mut Transaction<'_>, task: TaskId, on: TaskId) -> Result<bool, Fault> {
    tx.query_number(EXISTS, &[task.0.into(), on.0.into()]).map(|count| count > 0)
}

/// Lists the tasks that wait for one.
pub fn list_dependents(tx: &mut Transaction<'_>, on: TaskId) -> Result<Vec<TaskId>, Fault> {
    tx.query_all(DEPENDENTS, &[on.0.into()], |row| row.int(0).map(TaskId))
}

/// Returns the tasks that wait for one, with their ranks.
pub fn ranked_dependents(tx: &mut Transaction<'_>, on: TaskId) -> Result<Vec<(TaskId, u32)>, Fault> {
    tx.query_all(RANKED_DEPENDENTS, &[on.0.into()], ranked_from_row)
}

/// Returns the dependencies of a task, with their ranks.
pub fn ranked_dependencies(tx: &mut Transaction<'_>, task: TaskId) -> Result<Vec<(TaskId, u32)>, Fault> {
    tx.query_all(RANKED_DEPENDENCIES, &[task.0.into()], ranked_from_row)
}

/// Returns the highest rank among the tasks that wait for one; `None` when nothing waits for it.
pub fn longest_dependent(tx: &mut Transaction<'_>, on: TaskId) -> Result<Option<u32>, Fault> {
    let rank = tx.query_first(LONGEST_DEPENDENT, &[on.0.into()], |row| super::count_or_null(row, 0))?;
    Ok(rank.flatten())
}

/// Returns the keys of a task's unfinished dependencies, oldest first.
pub fn waits_for(tx: &mut Transaction<'_>, task: TaskId) -> Result<Vec<Slug>, Fault> {
    tx.query_all(WAITS_FOR, &[task.0.into()], |row| slug_column(row, 0))
}

/// Lists the keys of the dependencies of several tasks that failed, were cancelled or were skipped: by task, then oldest
/// first.
pub fn broken_keys_many(tx: &mut Transaction<'_>, tasks: &[TaskId]) -> Result<Vec<(TaskId, Slug)>, Fault> {
    list_keys(tx, BROKEN_MANY, tasks)
}

/// Finds the root causes of several skipped tasks: failed or cancelled tasks at most so many steps back.
pub fn root_causes(
    tx: &mut Transaction<'_>,
    skipped: &[TaskId],
    steps: usize,
) -> Result<Vec<(TaskId, Slug)>, Fault> {
    let skipped = id_list(skipped.iter().map(|id| id.0));
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    tx.query_all(ROOT_CAUSES, &[skipped.as_str().into(), steps.into()], |row| {
        Ok((TaskId(row.int(1)?), slug_column(row, 0)?))
    })
}

/// Returns the keys of all dependencies of a task, oldest first.
pub fn dependency_keys(tx: &mut Transaction<'_>, task: TaskId) -> Result<Vec<Slug>, Fault> {
    tx.query_all(KEYS, &[task.0.into()], |row| slug_column(row, 0))
}

/// One end of an edge: what a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedTask {
    /// The task that waits.
    pub task: TaskId,
    /// What it waits for.
    pub on: TaskId,
    /// Its key.
    pub key: Slug,
    /// Its state.
    pub state: TaskState,
}

/// Lists what the tasks of a run behind one, up to another one, wait for.
pub fn list_by_range(
    tx: &mut Transaction<'_>,
    run: RunId,
    after: TaskId,
    last: TaskId,
) -> Result<Vec<AwaitedTask>, Fault> {
    tx.query_all(OF_RANGE, &[run.0.into(), after.0.into(), last.0.into()], |row| {
        Ok(AwaitedTask {
            task: TaskId(row.int(0)?),
            on: TaskId(row.int(1)?),
            key: slug_column(row, 2)?,
            state: name_column(row, 3, "task", TaskState::parse)?,
        })
    })
}

/// Returns a page of a run's edges, and their total number.
pub fn edges_of_run(
    tx: &mut Transaction<'_>,
    run: RunId,
    after: (TaskId, TaskId),
    limit: u32,
) -> Result<(Vec<DependencyEdge>, i64), Fault> {
    let values = [run.0.into(), after.0.0.into(), after.1.0.into(), limit.into()];
    Ok((tx.query_all(EDGES_OF_RUN, &values, edge_from_row)?, tx.query_number(COUNT_OF_RUN, &[run.0.into()])?))
}

/// Returns a page of a task's dependencies, and their total number.
pub fn edges_of_task(
    tx: &mut Transaction<'_>,
    task: TaskId,
    after: TaskId,
    limit: u32,
) -> Result<(Vec<DependencyEdge>, i64), Fault> {
    let edges = tx.query_all(EDGES_OF_TASK, &[task.0.into(), after.0.into(), limit.into()], edge_from_row)?;
    Ok((edges, tx.query_number(COUNT_OF_TASK, &[task.0.into()])?))
}

/// Returns a page of a task's dependents.
pub fn edges_on_task(
    tx: &mut Transaction<'_>,
    on: TaskId,
    after: TaskId,
    limit: u32,
) -> Result<Vec<DependencyEdge>, Fault> {
    tx.query_all(EDGES_ON_TASK, &[on.0.into(), after.0.into(), limit.into()], edge_from_row)
}

/// Adds edges from one task to several dependencies.
pub fn insert_many(tx: &mut Transaction<'_>, task: TaskId, on: &[TaskId]) -> Result<(), Fault> {
    let on = id_list(on.iter().map(|id| id.0));
    tx.execute(INSERT_MANY, &[task.0.into(), on.as_str().into()]).map(|_| ())
}

/// Lists the keys of the unfinished dependencies of several tasks: by task, then oldest first.
pub fn waits_for_many(tx: &mut Transaction<'_>, tasks: &[TaskId]) -> Result<Vec<(TaskId, Slug)>, Fault> {
    list_keys(tx, WAITS_FOR_MANY, tasks)
}

/// Lists the keys of all dependencies of several tasks: by task, then oldest first.
pub fn dependency_keys_many(
    tx: &mut Transaction<'_>,
    tasks: &[TaskId],
) -> Result<Vec<(TaskId, Slug)>, Fault> {
    list_keys(tx, KEYS_MANY, tasks)
}

fn list_keys(
    tx: &mut Transaction<'_>,
    statement: crate::Statement,
    tasks: &[TaskId],
) -> Result<Vec<(TaskId, Slug)>, Fault> {
    let tasks = id_list(tasks.iter().map(|id| id.0));
    tx.query_all(statement, &[tasks.as_str().into()], |row| Ok((TaskId(row.int(1)?), slug_column(row, 0)?)))
}

/// Lists the dependents of several tasks, as pairs (task, dependent).
pub fn list_dependents_many(tx: &mut Transaction<'_>, on: &[TaskId]) -> Result<Vec<(TaskId, TaskId)>, Fault> {
    let on = id_list(on.iter().map(|id| id.0));
    tx.query_all(DEPENDENTS_MANY, &[on.as_str().into()], |row| Ok((TaskId(row.int(0)?), TaskId(row.int(1)?))))
}
