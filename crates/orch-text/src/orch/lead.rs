//! The text of `orch lead`.

use orch_contract::orch::lead::LeadResponse;

use crate::{HumanReadable, TextPage, escape_controls};

impl HumanReadable for LeadResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("This session leads {} now.", escape_controls(&self.run.id)));
    }
}
