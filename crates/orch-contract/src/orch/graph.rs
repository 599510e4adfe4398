//! What `orch graph` answers.

use serde::{Deserialize, Serialize};

use crate::TaskShort;
use crate::run::RunBrief;
use crate::store::DocumentAnswer;

/// One edge of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edge {
    /// The task that waits, `RUN/KEY`.
    pub task: String,
    /// The task it waits for, `RUN/KEY`.
    pub on: String,
}

/// A run's whole graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphAnswer {
    /// The run.
    pub run: RunBrief,
    /// Its tasks, oldest first.
    pub tasks: Vec<TaskShort>,
    /// Who waits for whom.
    pub dependencies: Vec<Edge>,
}

/// What `orch graph` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum GraphShown {
    /// The graph itself.
    Graph(GraphAnswer),
    /// A drawing of it, with `--format mermaid` or `--format dot`.
    Drawing(DocumentAnswer),
}
