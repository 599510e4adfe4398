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

/// A run's whole graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphResponse {
    /// The run.
    pub run: RunHeader,
    /// Its tasks, oldest first.
    pub tasks: Vec<TaskSummary>,
    /// The dependencies.
    pub dependencies: Vec<GraphEdge>,
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
