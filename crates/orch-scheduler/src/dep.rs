//! `orch dep add|rm|list`: dependencies between tasks.

use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::task::TaskState;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{dependency, task as task_table};

use crate::fresh_read::read_fresh;
use crate::operation::Operation;
use crate::{TaskOverview, TaskSelector, graph_edit, lookup};
use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Receipt, Response, Session};

/// A dependency with the state of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyStatus {
    /// The dependent task.
    pub task: TaskName,
    /// The task that it depends on.
    pub on: TaskName,
    /// Whether `on` is done.
    pub met: bool,
    /// The state of the other end: of `on` in a list of dependencies, of `task` in a list of dependents.
    pub state: TaskState,
}

impl DependencyStatus {
    /// Describes a dependency for a list of dependencies.
    pub fn by_dependency(edge: dependency::DependencyEdge) -> Self {
        let met = edge.on_state == TaskState::Done;
        Self { task: edge.task_name, on: edge.on_name, met, state: edge.on_state }
    }

    /// Describes a dependency for a list of dependents.
    pub fn by_dependent(edge: dependency::DependencyEdge) -> Self {
        let met = edge.on_state == TaskState::Done;
        Self { task: edge.task_name, on: edge.on_name, met, state: edge.task_state }
    }
}

/// Adds dependencies of a task, all or none.
///
/// # Errors
/// A dependency would close a cycle, exists already, or has an unknown end; or the task is finished or live.
pub fn add_dependencies(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    on: &[Slug],
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let run = unit.resolve_run(task.run.as_ref())?;
        let dependent = lookup::find_task_in_run(unit.tx, &run, &task.key)?;
        let after = graph_edit::add_edges(unit, dependent.id, &run, on)?;
        lookup::task_overview(unit.tx, after)
    })
}

/// Removes a dependency of a task.
///
/// # Errors
/// The dependency does not exist, or the task is finished or live.
pub fn remove_dependency(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    on: &Slug,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let run = unit.resolve_run(task.run.as_ref())?;
        let dependent = lookup::find_task_in_run(unit.tx, &run, &task.key)?;
        let after = graph_edit::remove_edge(unit, dependent.id, &run, on)?;
        lookup::task_overview(unit.tx, after)
    })
}

/// A selection of dependencies.
#[derive(Clone, Debug)]
pub enum DependencyFilter {
    /// All dependencies of a run.
    Run(Option<Slug>),
    /// The dependencies of one task.
    Task(TaskSelector),
}

/// Lists dependencies by the age of the dependent task, then of the other.
///
/// # Errors
/// The run or task does not exist.
pub fn list_dependencies(
    session: &mut Session,
    edges: &DependencyFilter,
    page: &PageRequest,
) -> Result<ResultPage<DependencyStatus>, Error> {
    read_fresh(session, |tx, _| {
        let limit = page.limit.saturating_add(1);
        let (found, total) = match edges {
            DependencyFilter::Run(run) => {
                let run = lookup::find_run(tx, run.as_ref())?;
                let after = edge_cursor(tx, run.id, page)?;
                dependency::edges_of_run(tx, run.id, after, limit)?
            }
            DependencyFilter::Task(task) => {
                let task = lookup::find_task(tx, task)?;
                let (_, after) = edge_cursor(tx, task.run, page)?;
                dependency::edges_of_task(tx, task.id, after, limit)?
            }
        };
        let total = u64::try_from(total).unwrap_or(0);
        let shown: Vec<_> = found.into_iter().map(DependencyStatus::by_dependency).collect();
        Ok(cut_page(shown, page.limit, total, |edge: &DependencyStatus| {
            format!("{}:{}", edge.task.key, edge.on.key)
        }))
    })
}

/// Parses the cursor of a page: `TASK:ON` is the last dependency of the page before.
fn edge_cursor(
    tx: &mut Transaction<'_>,
    run: orch_core::id::RunId,
    page: &PageRequest,
) -> Result<(TaskId, TaskId), Error> {
    let Some(cursor) = &page.after else { return Ok((TaskId(0), TaskId(0))) };
    let (task, on) = cursor.split_once(':').ok_or_else(invalid_cursor)?;
    let mut id = |key: &str| -> Result<TaskId, Error> {
        let key = Slug::new(key).map_err(|_| invalid_cursor())?;
        task_table::id_by_key(tx, run, &key)?.ok_or_else(invalid_cursor)
    };
    Ok((id(task)?, id(on)?))
}
