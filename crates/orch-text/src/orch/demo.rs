//! Text for the result of the demo.

use orch_contract::orch::demo::{DemoEnd, DemoLine};

use super::graph::{GraphDrawing, text};
use super::{events, land, live, status};
use crate::{HumanReadable, TextPage, escape_controls};

impl HumanReadable for DemoLine {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::Happened { event } => events::write_events(paper, std::slice::from_ref(event)),
            Self::Note { note } => paper.write_line(escape_controls(note)),
            Self::End(end) => write_demo_end(paper, end),
        }
    }
}

fn write_demo_end(paper: &mut TextPage, end: &DemoEnd) {
    paper.write_gap();
    status::write_overview(paper, &end.status);
    live::write_recent_events(paper, "ON THE WAY", &end.happened);
    paper.write_gap();
    text::draw_graph(paper, &GraphDrawing::from_graph(&end.graph));
    paper.write_gap();
    land::write_headline(paper, &end.land);
    paper.write_gap();
    paper.write_heading("Look around");
    for line in &end.next {
        paper.write_line(format!("  {}", escape_controls(line)));
    }
}
