//! What `orch dispatch` answers.

use serde::{Deserialize, Serialize};

use crate::code::ErrorCodeWord;
use crate::{AttemptView, ReasonView, TaskOrSummary, ThreadView};

/// A dispatched task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DispatchedTask {
    /// The task.
    pub task: TaskOrSummary,
    /// Its new attempt.
    pub attempt: AttemptView,
    /// The attempt's thread.
    pub thread: Option<ThreadView>,
}

/// A task that was ready and was not dispatched all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UndispatchedTask {
    /// Which task, `RUN/KEY`.
    pub task: String,
    /// Why, as an error's code.
    pub code: ErrorCodeWord,
    /// Why, in words.
    pub message: String,
    /// Why, one by one.
    pub reasons: Vec<ReasonView>,
}

/// What `orch dispatch --all` came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BulkDispatch {
    /// What was dispatched, in the order of `orch ready`.
    pub dispatched: Vec<DispatchedTask>,
    /// What was ready and was not dispatched; once a run is full, its first such task alone.
    pub refused: Vec<UndispatchedTask>,
}

/// What `orch dispatch` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DispatchResponse {
    /// With `--all`.
    All(BulkDispatch),
    /// One task.
    One(Box<DispatchedTask>),
}
