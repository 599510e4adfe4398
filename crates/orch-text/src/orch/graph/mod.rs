//! Drawings of a run's graph: for a terminal, for Mermaid and for Graphviz.

mod dot;
mod mermaid;
pub mod text;

pub use dot::render_dot;
pub use mermaid::render_mermaid;

use std::collections::HashMap;

use orch_contract::orch::graph::{GraphOrDrawing, GraphResponse};
use orch_core::task::TaskState;
use orch_core::time::Time;

use crate::{HumanReadable, TextPage, TextPainter, escape_controls};

/// The nodes and edges of a drawing.
#[derive(Debug)]
pub struct GraphDrawing<'a> {
    /// The run's name.
    pub run: &'a str,
    /// The tasks, oldest first.
    pub nodes: Vec<GraphNode<'a>>,
    /// Pairs of indices into `nodes`: the first waits for the second.
    pub edges: Vec<(usize, usize)>,
}

/// A task of a drawing.
#[derive(Clone, Copy, Debug)]
pub struct GraphNode<'a> {
    /// The task's key.
    pub key: &'a str,
    /// The task's title.
    pub title: &'a str,
    /// The task's state.
    pub state: TaskState,
}

impl<'a> GraphDrawing<'a> {
    /// Collects the nodes and edges of a graph.
    #[must_use]
    pub fn from_graph(graph: &'a GraphResponse) -> Self {
        let nodes: Vec<GraphNode<'a>> = graph
            .tasks
            .iter()
            .map(|task| GraphNode { key: &task.key, title: &task.title, state: task.state.0 })
            .collect();
        let places: HashMap<&str, usize> =
            graph.tasks.iter().enumerate().map(|(place, task)| (task.id.as_str(), place)).collect();
        let place = |id: &str| places.get(id).copied();
        let edges = graph
            .dependencies
            .iter()
            .filter_map(|edge| Some((place(&edge.task)?, place(&edge.on)?)))
            .collect();
        Self { run: &graph.run.id, nodes, edges }
    }
}

/// Renders the graph as text without colours, for files and pipes.
#[must_use]
pub fn render_plain(graph: &GraphResponse) -> String {
    const WIDTH: usize = 80;
    let mut paper = TextPage::new(TextPainter { colour: false }, WIDTH, Time(0));
    draw_part(&mut paper, graph);
    paper.into_text()
}

/// Draws the shown tasks, and tells how to see the others.
fn draw_part(paper: &mut TextPage, graph: &GraphResponse) {
    text::draw_graph(paper, &GraphDrawing::from_graph(graph));
    if let Some(next) = &graph.next {
        let (shown, total, run) = (graph.tasks.len(), graph.total, &graph.run.id);
        paper.write_line(format!(
            "These are {shown} of {total} tasks; `orch graph --run {run} --after {next}` shows the next ones."
        ));
    }
}

impl HumanReadable for GraphOrDrawing {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::Graph(graph) => draw_part(paper, graph),
            Self::Drawing(drawing) => paper.write_line(&drawing.document),
        }
    }
}

/// Returns the level of each node, from 0: one more than the highest level among its dependencies.
fn node_levels(drawing: &GraphDrawing<'_>) -> Vec<usize> {
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); drawing.nodes.len()];
    let mut waits = vec![0_usize; drawing.nodes.len()];
    for &(task, on) in &drawing.edges {
        dependents[on].push(task);
        waits[task] += 1;
    }
    let mut levels = vec![0; drawing.nodes.len()];
    let mut open: Vec<usize> = (0..drawing.nodes.len()).filter(|node| waits[*node] == 0).collect();
    while let Some(node) = open.pop() {
        for &task in &dependents[node] {
            levels[task] = levels[task].max(levels[node] + 1);
            waits[task] -= 1;
            if waits[task] == 0 {
                open.push(task);
            }
        }
    }
    levels
}

/// Returns the start of a title for a label: one line, escaped for every viewer.
fn short_label(title: &str) -> String {
    const LENGTH: usize = 60;
    let start: String = title.chars().take(LENGTH).collect();
    let mut label = escape_controls(&start).into_owned();
    if start.len() < title.len() {
        label.push('…');
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn diamond_graph<'a>() -> GraphDrawing<'a> {
        let node = |key, title, state| GraphNode { key, title, state };
        GraphDrawing {
            run: "ship",
            nodes: vec![
                node("schema", "Write the schema", TaskState::Done),
                node("api", "Build the \"API\" <v2> & #1 `x`\nline", TaskState::Running),
                node("ui", "Build the UI", TaskState::Ready),
                node("release", "Release", TaskState::Waiting),
            ],
            edges: vec![(1, 0), (2, 0), (3, 1), (3, 2)],
        }
    }

    #[test]
    fn a_level_follows_the_longest_chain() {
        assert_eq!(node_levels(&diamond_graph()), [0, 1, 1, 2]);
        let chain = GraphDrawing { edges: vec![(1, 0), (2, 1), (3, 2), (3, 0)], ..diamond_graph() };
        assert_eq!(node_levels(&chain), [0, 1, 2, 3]);
    }

    #[test]
    fn labels_are_cut_between_characters() {
        assert_eq!(short_label("short"), "short");
        assert_eq!(short_label(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
        assert_eq!(short_label("a\u{1b}[2J\nb\u{202e}c"), "a␛[2J⏎b�c");
    }
}
