//! `orch dispatch`: a new attempt and its thread.

use orch_core::attempt::Attempt;
use orch_core::id::{Slug, TaskName};
use orch_core::refusal::Refusal;

use super::{TaskRef, TaskShown};
use crate::inbox::ThreadShown;
use crate::{Answer, Error, Receipt, Session};

/// A dispatched task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// The task.
    pub task: TaskShown,
    /// Its new attempt.
    pub attempt: Attempt,
    /// The attempt's thread.
    pub thread: ThreadShown,
    /// Whether the agent was ever seen; a name never seen may be mistyped.
    pub agent_seen: bool,
}

/// What dispatching all came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchedAll {
    /// What was dispatched, in order.
    pub dispatched: Vec<Dispatched>,
    /// What was ready and still not dispatched, and why. Once the run is full only the first such task is named.
    pub refused: Vec<(TaskName, Refusal)>,
}

/// How many, and to whom.
#[derive(Clone, Debug)]
pub struct All {
    /// Of which run; of all unfinished ones when not given.
    pub run: Option<Slug>,
    /// Agents to share the work, least loaded first; each task's own agent when empty.
    pub to: Vec<Slug>,
    /// The most tasks to dispatch.
    pub limit: u32,
}

/// Dispatches one task.
///
/// # Errors
/// It is not ready, has a live attempt, names no agent, the run is full, or the store failed.
pub fn one(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Dispatched>>,
    who: &Slug,
    task: &TaskRef,
    to: Option<&Slug>,
) -> Result<Answer<Dispatched>, Error> {
    todo!("next")
}

/// Dispatches what is ready, in order.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn all(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchedAll>>,
    who: &Slug,
    request: &All,
) -> Result<Answer<DispatchedAll>, Error> {
    todo!("next")
}
