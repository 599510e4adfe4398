//! The scheduler's operations, one per file.

pub mod ack;
pub mod agents;
pub mod answer;
pub(crate) mod base;
pub mod blocked;
pub mod brief;
pub mod clashes;
pub mod dep;
pub mod diff;
pub mod dispatch;
pub mod doctor;
pub mod events;
pub mod graph;
pub(crate) mod graph_edit;
pub mod integrate;
pub mod judge;
pub mod land;
pub(crate) mod lasting;
pub mod log;
pub mod meter;
pub mod orphaned;
pub mod orphans;
pub mod outcome;
pub mod perform;
pub mod place;
pub mod plan;
pub mod ps;
pub mod ready;
pub mod recall;
pub mod reconcile;
pub mod report;
pub mod request;
pub mod rm;
pub mod run;
pub mod scope;
pub mod stage;
pub mod status;
pub mod task;
pub mod tell;
pub mod timeline;
pub mod verify;
pub mod wait;
pub mod why;
pub(crate) mod work_message;
pub mod worktree;

use orch_core::id::Slug;
use orch_core::task::Task;

/// A task as the caller names it: by key, in a named run or in the only one that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRef {
    /// The run, where it was named.
    pub run: Option<Slug>,
    /// The task's key.
    pub key: Slug,
}

/// An attempt as the caller names it: the task, and which try; the last one when not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRef {
    /// The task.
    pub task: TaskRef,
    /// Which try, from 1.
    pub number: Option<u32>,
}

/// A task with what its short form shows besides its own facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskShown {
    /// The task.
    pub task: Task,
    /// Keys of its unfinished dependencies, oldest first.
    pub waits_for: Vec<Slug>,
    /// Who works on its live attempt.
    pub worker: Option<Slug>,
}
