//! What `orch dispatch` answers.

use serde::{Deserialize, Serialize};

use crate::code::CodeWord;
use crate::{Attempt, Reason, TaskShown, Thread};

/// A dispatched task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dispatched {
    /// The task.
    pub task: TaskShown,
    /// Its new attempt.
    pub attempt: Attempt,
    /// The attempt's thread.
    pub thread: Option<Thread>,
}

/// A task that was ready and was not dispatched all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotDispatched {
    /// Which task, `RUN/KEY`.
    pub task: String,
    /// Why, as an error's code.
    pub code: CodeWord,
    /// Why, in words.
    pub message: String,
    /// Why, one by one.
    pub reasons: Vec<Reason>,
}

/// What `orch dispatch --all` came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DispatchedAll {
    /// What was dispatched, in the order of `orch ready`.
    pub dispatched: Vec<Dispatched>,
    /// What was ready and was not dispatched; once a run is full, its first such task alone.
    pub refused: Vec<NotDispatched>,
}

/// What `orch dispatch` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DispatchAnswer {
    /// With `--all`.
    All(DispatchedAll),
    /// One task.
    One(Box<Dispatched>),
}
