//! `orch status`: one run at a glance. Costs what it shows, never what the run holds.

use orch_core::id::Slug;
use orch_core::run::Run;
use orch_core::time::{Span, Time};

use super::TaskShown;
use super::blocked::QuestionShown;
use crate::{Error, Session};

/// A task under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveShown {
    /// The task.
    pub shown: TaskShown,
    /// Since when its attempt is under way.
    pub since: Time,
    /// What its worker last said of its progress.
    pub progress: Option<String>,
    /// How far it says it is, 0 to 100.
    pub percent: Option<u8>,
    /// When the lease of its thread expires.
    pub lease_expires_at: Option<Time>,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedShown {
    /// The task.
    pub shown: TaskShown,
    /// Why its last attempt failed.
    pub reason: Option<String>,
}

/// One run at a glance. Each list has at most 20 entries; the run's counts say how many there are.
#[derive(Clone, Debug)]
pub struct Status {
    /// The run, with its counts.
    pub run: Run,
    /// Tasks under way, oldest first.
    pub active: Vec<ActiveShown>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionShown>,
    /// What can be dispatched now, in order.
    pub ready: Vec<TaskShown>,
    /// Failed tasks, oldest first.
    pub failed: Vec<FailedShown>,
    /// Keys of the longest chain of unfinished tasks, in order; its first 20.
    pub critical_path: Vec<Slug>,
    /// How long the rest will take, where finished attempts tell.
    pub eta: Option<Span>,
    /// When this was true.
    pub now: Time,
}

/// Shows a run's status.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn status(session: &mut Session, run: Option<&Slug>) -> Result<Status, Error> {
    todo!("next")
}
