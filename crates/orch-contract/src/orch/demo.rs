//! What `orch demo` answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::graph::GraphAnswer;
use super::status::StatusAnswer;

/// What the demo did, and where to look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DemoAnswer {
    /// The folder it worked in.
    pub folder: String,
    /// The file it made.
    pub report: String,
    /// The run at its end.
    pub status: StatusAnswer,
    /// The run's graph at its end.
    pub graph: GraphAnswer,
    /// What to type next.
    pub next: Vec<String>,
}
