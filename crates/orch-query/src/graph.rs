//! `orch graph`: all tasks and dependencies of a run.

use std::collections::HashMap;

use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_store::table::{dependency, task as task_table};

use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{TaskOverview, lookup};

/// The dependency graph of a run.
#[derive(Clone, Debug)]
pub struct TaskGraph {
    /// The run.
    pub run: Run,
    /// Its tasks, oldest first; `waits_for` is empty, because the edges contain it.
    pub tasks: Vec<TaskOverview>,
    /// Pairs of indices into `tasks`: the first depends on the second.
    pub edges: Vec<(usize, usize)>,
}

/// Loads the dependency graph of a run.
///
/// # Errors
/// The run does not exist.
pub fn load_graph(session: &mut Session, run: Option<&Slug>) -> Result<TaskGraph, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        let tasks = task_table::list(tx, run.id, TaskId(0), u32::MAX)?;
        let indices: HashMap<TaskId, usize> =
            tasks.iter().enumerate().map(|(index, task)| (task.id, index)).collect();
        let edges = dependency::list_by_run(tx, run.id)?;
        let edges = edges.iter().filter_map(|(task, on)| Some((*indices.get(task)?, *indices.get(on)?)));
        let edges = edges.collect();
        let tasks = lookup::task_overviews(tx, tasks)?;
        let tasks = tasks.into_iter().map(|task| TaskOverview { waits_for: Vec::new(), ..task }).collect();
        Ok(TaskGraph { run, tasks, edges })
    })
}
