//! A graph as a Mermaid flowchart, for Markdown pages.

use std::fmt::Write;

use orch_core::task::TaskState;

use super::{GraphDrawing, short_label};
use crate::orch::state;

/// Draws the graph from top to bottom.
#[must_use]
pub fn render_mermaid(drawing: &GraphDrawing<'_>) -> String {
    let mut page = String::from("flowchart TD\n");
    for (index, node) in drawing.nodes.iter().enumerate() {
        let state = node.state;
        let glyph = state::state_glyph(state);
        let title = escape_mermaid(&short_label(node.title));
        let _ = writeln!(page, "  n{index}[\"{glyph} {}<br/>{title}\"]:::{}", node.key, state.name());
    }
    for (task, on) in &drawing.edges {
        let _ = writeln!(page, "  n{on} --> n{task}");
    }
    for state in TaskState::ALL {
        if drawing.nodes.iter().any(|node| node.state == state) {
            let _ = writeln!(page, "  classDef {} {}", state.name(), state_class(state));
        }
    }
    page
}

/// The style of a state's nodes; readable on light and dark pages.
fn state_class(state: TaskState) -> &'static str {
    match state {
        TaskState::Waiting => "fill:#f3f4f6,stroke:#9ca3af,color:#374151",
        TaskState::Ready => "fill:#cffafe,stroke:#0891b2,color:#164e63",
        TaskState::Dispatched | TaskState::Running => "fill:#dbeafe,stroke:#2563eb,color:#1e3a8a",
        TaskState::Blocked => "fill:#fef3c7,stroke:#d97706,color:#78350f",
        TaskState::Reported => "fill:#f3e8ff,stroke:#9333ea,color:#581c87",
        TaskState::Done => "fill:#dcfce7,stroke:#16a34a,color:#14532d",
        TaskState::Failed => "fill:#fee2e2,stroke:#dc2626,color:#7f1d1d",
        TaskState::Skipped | TaskState::Cancelled => {
            "fill:#f3f4f6,stroke:#9ca3af,color:#6b7280,stroke-dasharray:4 3"
        }
    }
}

/// Replaces characters that Mermaid or HTML would interpret by entity codes.
fn escape_mermaid(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' | '*' | '_' | '[' | ']' | '{' | '}' | '|' => {
                let _ = write!(safe, "#{};", u32::from(character));
            }
            character => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orch::graph::tests::diamond_graph;

    #[test]
    fn a_diamond() {
        assert_eq!(
            render_mermaid(&diamond_graph()),
            "flowchart TD\n  n0[\"✓ schema<br/>Write the schema\"]:::done\n  \
             n1[\"● api<br/>Build the #34;API#34; #60;v2#62; #38; #35;1 #96;x#96;⏎line\"]:::running\n  \
             n2[\"○ ui<br/>Build the UI\"]:::ready\n  n3[\"· release<br/>Release\"]:::waiting\n  \
             n0 --> n1\n  n0 --> n2\n  n1 --> n3\n  n2 --> n3\n  \
             classDef waiting fill:#f3f4f6,stroke:#9ca3af,color:#374151\n  \
             classDef ready fill:#cffafe,stroke:#0891b2,color:#164e63\n  \
             classDef running fill:#dbeafe,stroke:#2563eb,color:#1e3a8a\n  \
             classDef done fill:#dcfce7,stroke:#16a34a,color:#14532d\n"
        );
    }
}
