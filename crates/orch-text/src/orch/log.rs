//! Text for a worker's log; `orch log` itself prints it piece by piece.

use orch_contract::orch::log::LogResponse;

use crate::{HumanReadable, TextPage};

impl HumanReadable for LogResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_block(&self.document, 0);
    }
}
