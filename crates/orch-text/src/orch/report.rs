//! Text for a report: its document.

use orch_contract::orch::report::ReportResponse;

use crate::{HumanReadable, TextPage};

impl HumanReadable for ReportResponse {
    fn render_human(&self, paper: &mut TextPage) {
        for line in self.document.lines() {
            paper.write_line(line);
        }
    }
}
