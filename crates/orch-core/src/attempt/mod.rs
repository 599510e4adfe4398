//! Attempts: the work of one worker on a task; at most one is live per task.

pub mod state;

pub use state::AttemptState;

use crate::event::EventSubject;
use crate::id::{AttemptId, AttemptName, MessageId, RunId, Slug, TaskId, ThreadId};
use crate::task::ChecksStatus;
use crate::time::Time;

/// The long texts of an attempt, stored apart so that a state change does not rewrite them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptText {
    /// The run's checks at the time of dispatch.
    pub run_verify: Vec<String>,
    /// The task's checks at the time of dispatch.
    pub task_verify: Vec<String>,
    /// The end of the output of a failed check.
    pub log_tail: Option<String>,
}

impl AttemptText {
    /// Returns whether no checks are defined.
    #[must_use]
    pub fn has_no_checks(&self) -> bool {
        self.run_verify.is_empty() && self.task_verify.is_empty()
    }

    /// Returns all checks, the run's first.
    #[must_use]
    pub fn all_checks(&self) -> Vec<String> {
        self.run_verify.iter().chain(&self.task_verify).cloned().collect()
    }
}

/// An attempt, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its key in the store.
    pub id: AttemptId,
    /// The run.
    pub run: RunId,
    /// Its task.
    pub task: TaskId,
    /// Its public name.
    pub name: AttemptName,
    /// The agent: the one that claimed it, or the recipient until then.
    pub agent: Slug,
    /// Its state.
    pub state: AttemptState,
    /// Its thread; `None` until its worktree exists.
    pub thread: Option<ThreadId>,
    /// The message with which its worker closed the thread.
    pub outcome: Option<MessageId>,
    /// Why it ended without a closing message.
    pub reason: Option<String>,
    /// How many releases of its thread were counted.
    pub releases: u32,
    /// The status of its checks.
    pub checks: ChecksStatus,
    /// When it was created.
    pub created_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
}

impl Attempt {
    /// Returns the subject of events about it.
    #[must_use]
    pub fn event_subject(&self) -> EventSubject {
        EventSubject {
            run: Some(self.run),
            task: Some(self.task),
            attempt: Some(self.id),
            thread: self.thread,
        }
    }
}
