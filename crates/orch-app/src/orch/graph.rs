//! `orch graph`: the tasks of a run and their dependencies.

use orch_contract::TaskSummary;
use orch_contract::orch::graph::{GraphEdge, GraphResponse};
use orch_contract::run::RunHeader;
use orch_core::id::Slug;
use orch_query::graph::{TaskGraph, load_graph};
use serde::Serialize;

use super::view::short_task_view;
use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Shows the tasks of a run and their dependencies.
#[derive(Debug, Serialize)]
pub struct ShowGraph {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Which part of its tasks.
    pub paging: Paging,
}

impl Request for ShowGraph {
    const COMMAND: &'static str = "orch graph";
    type View = GraphResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<GraphResponse> {
        Ok(Reply::new(graph_response(&load_graph(
            app.session()?,
            self.run.as_ref(),
            &self.paging.page_request(),
        )?)))
    }
}

fn graph_response(graph: &TaskGraph) -> GraphResponse {
    let mut tasks: Vec<TaskSummary> = graph.tasks.items.iter().map(short_task_view).collect();
    let mut dependencies = Vec::with_capacity(graph.edges.len());
    for edge in &graph.edges {
        let task = &mut tasks[edge.task];
        if !edge.is_done {
            task.waits_for.push(edge.on.to_string());
        }
        dependencies.push(GraphEdge { task: task.id.clone(), on: format!("{}/{}", graph.run.name, edge.on) });
    }
    GraphResponse {
        run: RunHeader::from_run(&graph.run),
        tasks,
        dependencies,
        total: graph.tasks.total,
        next: graph.tasks.next.clone(),
    }
}
