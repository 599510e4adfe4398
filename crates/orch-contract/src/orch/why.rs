//! What `orch why` answers.

use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::{Reason, Word};

/// Why a task is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyAnswer {
    /// Which task, `RUN/KEY`.
    pub task: String,
    /// Its state.
    pub state: Word<TaskState>,
    /// Why it does not move, and what would help; empty when it can be dispatched now.
    pub reasons: Vec<Reason>,
}
