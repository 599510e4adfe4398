//! What the demo came to.

use orch_contract::orch::demo::DemoAnswer;

use super::graph::{Drawing, text};
use crate::human::{Human, Paper, harmless};

impl Human for DemoAnswer {
    fn human(&self, paper: &mut Paper) {
        self.status.human(paper);
        paper.gap();
        text::draw(paper, &Drawing::of(&self.graph));
        paper.gap();
        paper.heading("Look around");
        for line in &self.next {
            paper.line(format!("  {}", harmless(line)));
        }
    }
}
