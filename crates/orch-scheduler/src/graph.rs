//! `orch graph`: all tasks and edges of a run, for drawing.

use std::collections::HashMap;

use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_store::table::{dependency, task as task_table};

use super::unit_of_work::read_fresh;
use super::{TaskOverview, lookup};
use orch_inbox::{Error, Session};

/// A run's whole graph.
#[derive(Clone, Debug)]
pub struct TaskGraph {
    /// The run.
    pub run: Run,
    /// Its tasks, oldest first; `waits_for` is left empty, the edges say it.
    pub tasks: Vec<TaskOverview>,
    /// Pairs of indices into `tasks`: the first waits for the second.
    pub edges: Vec<(usize, usize)>,
}

/// Reads a run's graph.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn load_graph(session: &mut Session, run: Option<&Slug>) -> Result<TaskGraph, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        let tasks = task_table::list(tx, run.id, TaskId(0), u32::MAX)?;
        let places: HashMap<TaskId, usize> =
            tasks.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
        let edges = dependency::list_by_run(tx, run.id)?;
        let edges = edges.iter().filter_map(|(task, on)| Some((*places.get(task)?, *places.get(on)?)));
        let edges = edges.collect();
        let mut shown = Vec::with_capacity(tasks.len());
        for task in tasks {
            let worker =
                if task.state.is_live() { lookup::task_overview(tx, task.clone())?.worker } else { None };
            shown.push(TaskOverview { task, waits_for: Vec::new(), worker });
        }
        Ok(TaskGraph { run, tasks: shown, edges })
    })
}
