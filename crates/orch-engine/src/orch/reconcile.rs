//! `orch reconcile`, and the freshness of every other command: what workers reported moves their tasks.

use orch_core::id::{AttemptName, Slug, TaskName};

use crate::{Error, Session};

/// One step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The task.
    pub task: TaskName,
    /// The attempt, where the step is one of an attempt.
    pub attempt: Option<AttemptName>,
    /// The task's state before.
    pub from: &'static str,
    /// The task's state after.
    pub to: &'static str,
    /// Why.
    pub reason: String,
}

/// Looks at every attempt whose thread has news, and takes the steps that follow. Doing it twice is doing it once.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn reconcile(session: &mut Session, run: Option<&Slug>, dry_run: bool) -> Result<Vec<Change>, Error> {
    todo!("next")
}
