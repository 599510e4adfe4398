//! What `orch reconcile` answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step that was taken, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`, where the step is one of an attempt.
    pub attempt: Option<String>,
    /// The task's state before.
    pub from: String,
    /// The task's state after.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// What `orch reconcile` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconcileAnswer {
    /// The steps, in the order in which they were taken.
    pub changes: Vec<Change>,
}
