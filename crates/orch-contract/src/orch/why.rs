//! What `orch why` answers.

use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::{ReasonView, WireWord};

/// Why a task is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyResponse {
    /// Which task, `RUN/KEY`.
    pub task: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// Why it does not move, and what would help; empty when it can be dispatched now.
    pub reasons: Vec<ReasonView>,
}
