//! What `orch tell` and `orch answer` answer.

use serde::{Deserialize, Serialize};

use crate::{MessageOrSummary, TaskOrSummary};

/// What `orch tell` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TellResponse {
    /// The note.
    pub message: MessageOrSummary,
}

/// What `orch answer` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnswerResponse {
    /// The task, which goes on.
    pub task: TaskOrSummary,
    /// The answer's message.
    pub message: MessageOrSummary,
}
