//! What the demo came to.

use orch_contract::orch::demo::DemoAnswer;

use super::graph::{Drawing, text};
use super::status;
use crate::human::{Human, Paper, harmless};

impl Human for DemoAnswer {
    fn human(&self, paper: &mut Paper) {
        status::glance(paper, &self.status);
        paper.gap();
        text::draw(paper, &Drawing::of(&self.graph));
        paper.gap();
        paper.heading("Look around");
        for line in &self.next {
            paper.line(format!("  {}", harmless(line)));
        }
    }
}
