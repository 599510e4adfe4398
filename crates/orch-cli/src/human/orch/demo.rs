//! What the demo came to.

use orch_contract::orch::demo::{DemoEnd, DemoLine};

use super::graph::{Drawing, text};
use super::{events, land, live, status};
use crate::human::{Human, Paper, harmless};

impl Human for DemoLine {
    fn human(&self, paper: &mut Paper) {
        match self {
            Self::Happened { event } => events::lines(paper, std::slice::from_ref(event)),
            Self::Note { note } => paper.line(harmless(note)),
            Self::End(end) => ended(paper, end),
        }
    }
}

fn ended(paper: &mut Paper, end: &DemoEnd) {
    paper.gap();
    status::glance(paper, &end.status);
    live::happened(paper, "ON THE WAY", &end.happened);
    paper.gap();
    text::draw(paper, &Drawing::of(&end.graph));
    paper.gap();
    land::headline(paper, &end.land);
    paper.gap();
    paper.heading("Look around");
    for line in &end.next {
        paper.line(format!("  {}", harmless(line)));
    }
}
