//! A graph in the DOT language of Graphviz.

use std::fmt::Write;

use orch_core::task::TaskState;

use super::{GraphDrawing, short_label};
use crate::orch::state;

/// Draws the graph from top to bottom.
#[must_use]
pub fn render_dot(drawing: &GraphDrawing<'_>) -> String {
    let mut page = format!(
        "digraph {} {{\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
        quote_dot(drawing.run)
    );
    for node in &drawing.nodes {
        let text = format!("{} {}\n{}", state::state_glyph(node.state), node.key, short_label(node.title));
        let _ = writeln!(
            page,
            "  {} [label={}, tooltip={}, fillcolor={}];",
            quote_dot(node.key),
            quote_dot(&text),
            quote_dot(node.state.name()),
            quote_dot(fill_colour(node.state))
        );
    }
    for &(task, on) in &drawing.edges {
        let _ = writeln!(
            page,
            "  {} -> {};",
            quote_dot(drawing.nodes[on].key),
            quote_dot(drawing.nodes[task].key)
        );
    }
    page.push_str("}\n");
    page
}

fn fill_colour(state: TaskState) -> &'static str {
    match state {
        TaskState::Waiting | TaskState::Skipped | TaskState::Cancelled => "#f3f4f6",
        TaskState::Ready => "#cffafe",
        TaskState::Dispatched | TaskState::Running => "#dbeafe",
        TaskState::Blocked => "#fef3c7",
        TaskState::Reported => "#f3e8ff",
        TaskState::Done => "#dcfce7",
        TaskState::Failed => "#fee2e2",
    }
}

/// Quotes a text for DOT, where a backslash would start an escape sequence.
fn quote_dot(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 2);
    safe.push('"');
    for character in text.chars() {
        match character {
            '"' => safe.push_str("\\\""),
            '\\' => safe.push_str("\\\\"),
            '\n' => safe.push_str("\\n"),
            character if character.is_control() => safe.push(' '),
            character => safe.push(character),
        }
    }
    safe.push('"');
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orch::graph::tests::diamond_graph;

    #[test]
    fn a_diamond() {
        let page = render_dot(&diamond_graph());
        assert!(page.starts_with("digraph \"ship\" {\n"), "{page}");
        assert!(page.contains(
            "  \"api\" [label=\"● api\\nBuild the \\\"API\\\" <v2> & #1 `x`⏎line\", \
             tooltip=\"running\", fillcolor=\"#dbeafe\"];\n"
        ));
        assert!(page.ends_with(
            "  \"schema\" -> \"api\";\n  \"schema\" -> \"ui\";\n  \"api\" -> \"release\";\n  \
             \"ui\" -> \"release\";\n}\n"
        ));
    }

    #[test]
    fn quotation_marks_cannot_be_left() {
        assert_eq!(quote_dot("a\\\"]; x\u{1b}["), "\"a\\\\\\\"]; x [\"");
    }
}
