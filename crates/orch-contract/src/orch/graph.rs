//! The response of `orch graph`.

use serde::{Deserialize, Serialize};

use crate::TaskSummary;
use crate::run::RunHeader;
use crate::store::DocumentResponse;

/// One edge of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphEdge {
    /// The task that waits, `RUN/KEY`.
    pub task: String,
    /// The task that it waits for, `RUN/KEY`.
    pub on: String,
}

/// The graph of a run, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphResponse {
    /// The run.
    pub run: RunHeader,
    /// Its tasks, oldest first.
    pub tasks: Vec<TaskSummary>,
    /// What these tasks depend on; a task of another part included.
    pub dependencies: Vec<GraphEdge>,
    /// The number of all tasks of the run.
    pub total: u64,
    /// The cursor of the next part, if there is one.
    pub next: Option<String>,
}

/// The response of `orch graph`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum GraphOrDrawing {
    /// The graph itself.
    Graph(GraphResponse),
    /// A drawing of it, with `--format mermaid` or `--format dot`.
    Drawing(DocumentResponse),
}
