//! What a worker printed, for people; `orch log` itself prints it piece by piece.

use orch_contract::orch::log::LogAnswer;

use crate::human::{Human, Paper};

impl Human for LogAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.block(&self.document, 0);
    }
}
