//! The response of `orch why`.

use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::{ReasonView, WireWord};

/// The reasons for a task's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyResponse {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// Why it makes no progress, with the next commands; empty when it can be dispatched now.
    pub reasons: Vec<ReasonView>,
}
