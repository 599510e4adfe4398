//! `orch why`: why a task is where it is, and what would move it.

use orch_core::refusal::Reason;

use super::{TaskRef, TaskShown};
use crate::{Error, Session};

/// A task and why it does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The task.
    pub shown: TaskShown,
    /// Why; empty for a task that can be dispatched now.
    pub reasons: Vec<Reason>,
}

/// Explains a task.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn why(session: &mut Session, task: &TaskRef) -> Result<Why, Error> {
    todo!("next")
}
