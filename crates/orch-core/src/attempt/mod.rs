//! One try at a task by one worker; at most one is live per task.

pub mod state;

pub use state::AttemptState;

use crate::event::EventSubject;
use crate::id::{AttemptId, AttemptName, MessageId, RunId, Slug, TaskId, ThreadId};
use crate::task::ChecksStatus;
use crate::time::Time;

/// The long texts of an attempt, kept apart so that moving an attempt never rewrites them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptText {
    /// The run's checks as they were when it was dispatched.
    pub run_verify: Vec<String>,
    /// The task's checks as they were when it was dispatched.
    pub task_verify: Vec<String>,
    /// The end of what a failed check printed.
    pub log_tail: Option<String>,
}

impl AttemptText {
    /// Whether nothing is to be checked.
    #[must_use]
    pub fn has_no_checks(&self) -> bool {
        self.run_verify.is_empty() && self.task_verify.is_empty()
    }

    /// All checks, the run's first.
    #[must_use]
    pub fn all_checks(&self) -> Vec<String> {
        self.run_verify.iter().chain(&self.task_verify).cloned().collect()
    }
}

/// An attempt as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its key in the store.
    pub id: AttemptId,
    /// The run.
    pub run: RunId,
    /// The task it is a try at.
    pub task: TaskId,
    /// Its public name.
    pub name: AttemptName,
    /// Who works on it: the claimer once there is one, before that whom it was sent to.
    pub agent: Slug,
    /// Its state.
    pub state: AttemptState,
    /// Its thread; `None` until its worktree is there.
    pub thread: Option<ThreadId>,
    /// The message that closed the thread, where its worker wrote one.
    pub outcome: Option<MessageId>,
    /// Why it ended without one.
    pub reason: Option<String>,
    /// How many of its thread's releases were counted.
    pub releases: u32,
    /// What the checks said.
    pub checks: ChecksStatus,
    /// When it was made.
    pub created_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
}

impl Attempt {
    /// What events about it name: the attempt with its run, its task and its thread.
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
