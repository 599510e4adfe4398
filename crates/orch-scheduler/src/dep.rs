//! `orch dep add|rm|list`: TASK waits for ON.

use orch_core::id::{Slug, TaskId};
use orch_store::Transaction;
use orch_store::page::{Page, PageRequest};
use orch_store::table::{dependency, task as task_table};

use super::stage::{change as lead_change, read_fresh};
use super::task::DependencyShown;
use super::{TaskRef, TaskShown, graph_edit, scope};
use orch_inbox::page::{bad_cursor, cut};
use orch_inbox::{Answer, Error, Receipt, Session};

/// Makes a task wait for others, all or none.
///
/// # Errors
/// It would close a cycle, an edge is there already, an end is unknown, the task is finished or live, or the store failed.
pub fn add(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    on: &[Slug],
) -> Result<Answer<TaskShown>, Error> {
    lead_change(session, receipt, who, |stage| {
        let run = stage.named_run(task.run.as_ref())?;
        let waiting = scope::task_in(stage.tx, &run, &task.key)?;
        let after = graph_edit::add_edges(stage, waiting.id, &run, on)?;
        scope::shown(stage.tx, after)
    })
}

/// Lets a task no longer wait for another.
///
/// # Errors
/// There is no such edge, the task is finished or live, or the store failed.
pub fn remove(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    on: &Slug,
) -> Result<Answer<TaskShown>, Error> {
    lead_change(session, receipt, who, |stage| {
        let run = stage.named_run(task.run.as_ref())?;
        let waiting = scope::task_in(stage.tx, &run, &task.key)?;
        let after = graph_edit::remove_edge(stage, waiting.id, &run, on)?;
        scope::shown(stage.tx, after)
    })
}

/// Which edges are wanted.
#[derive(Clone, Debug)]
pub enum Edges {
    /// All of a run.
    Run(Option<Slug>),
    /// What one task waits for.
    Task(TaskRef),
}

/// Lists edges, by the age of the waiting task, then of the other.
///
/// # Errors
/// There is no such run or task, or the store failed.
pub fn list(
    session: &mut Session,
    edges: &Edges,
    page: &PageRequest,
) -> Result<Page<DependencyShown>, Error> {
    read_fresh(session, |tx, _| {
        let limit = page.limit.saturating_add(1);
        let (found, total) = match edges {
            Edges::Run(run) => {
                let run = scope::one_run(tx, run.as_ref())?;
                let after = edge_cursor(tx, run.id, page)?;
                dependency::edges_of_run(tx, run.id, after, limit)?
            }
            Edges::Task(task) => {
                let task = scope::one_task(tx, task)?;
                let (_, after) = edge_cursor(tx, task.run, page)?;
                dependency::edges_of_task(tx, task.id, after, limit)?
            }
        };
        let total = u64::try_from(total).unwrap_or(0);
        let shown: Vec<_> = found.into_iter().map(DependencyShown::by_dependency).collect();
        Ok(cut(shown, page.limit, total, |edge: &DependencyShown| {
            format!("{}:{}", edge.task.key, edge.on.key)
        }))
    })
}

/// The edge that a page begins behind, `TASK:ON`.
fn edge_cursor(
    tx: &mut Transaction<'_>,
    run: orch_core::id::RunId,
    page: &PageRequest,
) -> Result<(TaskId, TaskId), Error> {
    let Some(cursor) = &page.after else { return Ok((TaskId(0), TaskId(0))) };
    let (task, on) = cursor.split_once(':').ok_or_else(bad_cursor)?;
    let mut id = |key: &str| -> Result<TaskId, Error> {
        let key = Slug::new(key).map_err(|_| bad_cursor())?;
        task_table::id_by_key(tx, run, &key)?.ok_or_else(bad_cursor)
    };
    Ok((id(task)?, id(on)?))
}
