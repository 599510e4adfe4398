//! `orch graph`: the tasks of a run and their dependencies.

use orch_contract::TaskSummary;
use orch_contract::orch::graph::{GraphEdge, GraphResponse};
use orch_contract::run::RunHeader;
use orch_core::id::Slug;
use orch_core::task::TaskState;
use orch_query::graph::{TaskGraph, load_graph};
use serde::Serialize;

use super::view::short_task_view;
use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows the tasks of a run and their dependencies.
#[derive(Debug, Serialize)]
pub struct ShowGraph {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
}

impl Request for ShowGraph {
    const COMMAND: &'static str = "orch graph";
    type View = GraphResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<GraphResponse> {
        Ok(Reply::new(graph_response(&load_graph(app.session()?, self.run.as_ref())?)))
    }
}

fn graph_response(graph: &TaskGraph) -> GraphResponse {
    let mut tasks: Vec<TaskSummary> = graph.tasks.iter().map(short_task_view).collect();
    let mut dependencies = Vec::with_capacity(graph.edges.len());
    for &(task, on) in &graph.edges {
        if graph.tasks[on].task.state != TaskState::Done {
            let key = tasks[on].key.clone();
            tasks[task].waits_for.push(key);
        }
        dependencies.push(GraphEdge { task: tasks[task].id.clone(), on: tasks[on].id.clone() });
    }
    GraphResponse { run: RunHeader::from_run(&graph.run), tasks, dependencies }
}
