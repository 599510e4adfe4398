//! What `orch tell` and `orch answer` answer.

use serde::{Deserialize, Serialize};

use crate::{MessageShown, TaskShown};

/// What `orch tell` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TellAnswer {
    /// The note.
    pub message: MessageShown,
}

/// What `orch answer` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnswerAnswer {
    /// The task, which goes on.
    pub task: TaskShown,
    /// The answer's message.
    pub message: MessageShown,
}
