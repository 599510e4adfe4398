//! The text of `orch web`.

use orch_contract::orch::web::WebResponse;

use crate::{HumanReadable, TextPage, escape_controls};

impl HumanReadable for WebResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(escape_controls(&self.url));
        paper.write_note("The link opens the page in one browser; `orch web --link` gives another.");
        if self.read_only == Some(true) {
            paper.write_note("The page only shows. With --allow-write it also changes things.");
        }
    }
}
