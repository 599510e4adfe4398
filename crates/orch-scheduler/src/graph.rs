//! `orch graph`: all tasks and edges of a run, for drawing.

use std::collections::HashMap;

use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_store::table::{dependency, task as task_table};

use super::stage::read_fresh;
use super::{TaskShown, scope};
use orch_inbox::{Error, Session};

/// A run's whole graph.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The run.
    pub run: Run,
    /// Its tasks, oldest first; `waits_for` is left empty, the edges say it.
    pub tasks: Vec<TaskShown>,
    /// Pairs of indices into `tasks`: the first waits for the second.
    pub edges: Vec<(usize, usize)>,
}

/// Reads a run's graph.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn graph(session: &mut Session, run: Option<&Slug>) -> Result<Graph, Error> {
    read_fresh(session, |tx, _| {
        let run = scope::one_run(tx, run)?;
        let tasks = task_table::list(tx, run.id, TaskId(0), u32::MAX)?;
        let places: HashMap<TaskId, usize> =
            tasks.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
        let edges = dependency::of_run(tx, run.id)?;
        let edges = edges.iter().filter_map(|(task, on)| Some((*places.get(task)?, *places.get(on)?)));
        let edges = edges.collect();
        let mut shown = Vec::with_capacity(tasks.len());
        for task in tasks {
            let worker = if task.state.live() { scope::shown(tx, task.clone())?.worker } else { None };
            shown.push(TaskShown { task, waits_for: Vec::new(), worker });
        }
        Ok(Graph { run, tasks: shown, edges })
    })
}
