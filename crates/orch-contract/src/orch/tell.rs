//! The response of `orch tell` and `orch answer`.

use serde::{Deserialize, Serialize};

use crate::{MessageOrSummary, TaskOrSummary};

/// The response of `orch tell`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TellResponse {
    /// The note.
    pub message: MessageOrSummary,
}

/// The response of `orch answer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnswerResponse {
    /// The task, which continues.
    pub task: TaskOrSummary,
    /// The answer's message.
    pub message: MessageOrSummary,
}
