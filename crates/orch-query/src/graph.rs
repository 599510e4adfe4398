//! `orch graph`: tasks of a run and what they wait for.

use std::collections::HashMap;

use orch_core::id::Slug;
use orch_core::run::Run;
use orch_core::task::TaskState;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{dependency, task as task_table};

use orch_inbox::page::cut_page;
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::run::task_cursor;
use orch_scheduler::{TaskOverview, lookup};

/// A part of the dependency graph of a run.
#[derive(Clone, Debug)]
pub struct TaskGraph {
    /// The run.
    pub run: Run,
    /// Its tasks, oldest first; `waits_for` is empty, because the edges contain it.
    pub tasks: ResultPage<TaskOverview>,
    /// What these tasks depend on; other tasks of the run included.
    pub edges: Vec<GraphEdge>,
}

/// A dependency of a task of the graph.
#[derive(Clone, Debug)]
pub struct GraphEdge {
    /// The index of the task that waits.
    pub task: usize,
    /// The key of what it waits for.
    pub on: Slug,
    /// Whether that is done.
    pub is_done: bool,
}

/// Loads a part of the dependency graph of a run.
///
/// # Errors
/// The run does not exist, or the cursor is none of its tasks.
pub fn load_graph(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<TaskGraph, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        let after = task_cursor(tx, &run, page)?;
        let tasks = task_table::list(tx, run.id, after, page.limit.saturating_add(1))?;
        let total = u64::try_from(run.counts.total()).unwrap_or(0);
        let tasks = cut_page(tasks, page.limit, total, |task| task.name.key.to_string());
        let places: HashMap<_, _> =
            tasks.items.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
        let awaited = match tasks.items.last() {
            Some(last) => dependency::list_by_range(tx, run.id, after, last.id)?,
            None => Vec::new(),
        };
        let edge = |awaited: dependency::AwaitedTask| {
            let task = *places.get(&awaited.task)?;
            Some(GraphEdge { task, on: awaited.key, is_done: awaited.state == TaskState::Done })
        };
        let edges = awaited.into_iter().filter_map(edge).collect();
        let items = lookup::task_overviews(tx, tasks.items)?;
        let items = items.into_iter().map(|task| TaskOverview { waits_for: Vec::new(), ..task }).collect();
        Ok(TaskGraph { run, tasks: ResultPage { items, total: tasks.total, next: tasks.next }, edges })
    })
}
