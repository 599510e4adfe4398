//! `orch graph`: all tasks and edges of a run, for drawing.

use orch_core::id::Slug;
use orch_core::run::Run;

use super::TaskShown;
use crate::{Error, Session};

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
    todo!("next")
}
