//! The scheduler's operations, one per file.

pub mod ack;
pub mod answer;
pub(crate) mod attempt_base;
pub mod attempt_worktree;
pub mod budget;
pub mod claim;
pub mod dep;
pub mod dispatch;
pub mod fresh_read;
pub(crate) mod graph_edit;
pub mod integrate;
pub mod judge;
pub mod land;
pub mod lookup;
pub(crate) mod new_attempt;
pub mod not_ready;
pub mod operation;
pub mod orphaned;
pub mod perform;
pub mod plan;
pub mod recall;
pub mod reconcile;
pub mod redirect;
pub mod request;
pub mod resolve;
pub mod review;
pub mod run;
pub mod run_branch;
pub mod run_cancel;
pub mod store_copy;
pub mod sync;
pub mod task;
pub(crate) mod task_end;
pub mod tell;
pub mod thread_reconcile;
pub mod tool_fault;
pub mod unit_of_work;
pub mod verify;

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
