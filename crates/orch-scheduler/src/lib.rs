//! The scheduler's operations, one per file.

pub mod ack;
pub mod agents;
pub mod answer;
pub(crate) mod attempt_base;
pub mod blocked;
pub(crate) mod branch_protection;
pub mod brief;
pub mod clashes;
pub mod clean;
pub(crate) mod commit_trailers;
pub mod dep;
pub mod diff;
pub(crate) mod disk_space;
pub mod dispatch;
pub mod doctor;
pub mod events;
mod failed_operations;
pub mod fresh_read;
pub mod git_locks;
pub mod graph;
pub(crate) mod graph_edit;
pub mod integrate;
pub mod judge;
pub mod land;
pub mod log;
pub mod lookup;
pub mod meter;
pub(crate) mod new_attempt;
pub(crate) mod not_ready;
pub mod operation;
pub mod orphaned;
pub mod orphans;
pub mod perform;
pub mod plan;
pub mod ps;
pub mod ready;
pub mod recall;
pub mod reconcile;
pub mod repair;
pub mod report;
mod repository_health;
pub mod request;
pub mod rm;
pub mod run;
pub mod run_branch;
pub mod run_location;
pub(crate) mod run_repository;
pub mod status;
pub mod store_copy;
pub mod task;
pub(crate) mod task_end;
pub mod task_outcome;
pub mod tell;
pub(crate) mod thread_reconcile;
pub mod timeline;
pub mod tool_fault;
pub mod unit_of_work;
pub mod verify;
pub mod wait;
pub mod why;
pub(crate) mod work_message;
pub mod worktree;
pub(crate) mod worktree_pool;

use orch_core::id::Slug;
use orch_core::task::Task;
use serde::Serialize;

/// A selection of one task: its key, in a named run or in the default run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskSelector {
    /// The run, if it is named.
    pub run: Option<Slug>,
    /// The task's key.
    pub key: Slug,
}

/// A selection of one attempt of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptSelector {
    /// The task.
    pub task: TaskSelector,
    /// The number of the attempt, from 1; the last attempt when not given.
    pub number: Option<u32>,
}

/// A task with what its short form shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOverview {
    /// The task.
    pub task: Task,
    /// The keys of its unfinished dependencies, oldest first.
    pub waits_for: Vec<Slug>,
    /// The agent of its live attempt.
    pub worker: Option<Slug>,
}
