//! `orch dep add|rm|list`: TASK waits for ON.

use orch_core::id::Slug;
use orch_store::page::{Page, PageRequest};

use super::task::DependencyShown;
use super::{TaskRef, TaskShown};
use crate::{Answer, Error, Receipt, Session};

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
    todo!("next")
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
    todo!("next")
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
    todo!("next")
}
