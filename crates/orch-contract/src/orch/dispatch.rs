//! The response of `orch dispatch`.

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

/// A ready task that was not dispatched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UndispatchedTask {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The reason, as an error code.
    pub code: ErrorCodeWord,
    /// The reason in words.
    pub message: String,
    /// The reasons.
    pub reasons: Vec<ReasonView>,
}

/// The result of `orch dispatch --all`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BulkDispatch {
    /// The dispatched tasks, in the order of `orch ready`.
    pub dispatched: Vec<DispatchedTask>,
    /// The ready tasks that were not dispatched; of a run at its limit only the first one.
    pub refused: Vec<UndispatchedTask>,
}

/// The response of `orch dispatch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DispatchResponse {
    /// With `--all`.
    All(BulkDispatch),
    /// One task.
    One(Box<DispatchedTask>),
}
