//! The text of `orch setup`.

use orch_contract::orch::setup::SetupResponse;

use crate::{HumanReadable, TextPage, escape_controls};

impl HumanReadable for SetupResponse {
    fn render_human(&self, paper: &mut TextPage) {
        for file in &self.files {
            let tracked = if file.tracked { "  (tracked by git)" } else { "" };
            let path = escape_controls(&file.path);
            paper.write_line(format!("{:8} {:13} {path}{tracked}", file.action, file.purpose));
            if let Some(content) = &file.content {
                for line in content.lines() {
                    paper.write_line(format!("  | {}", escape_controls(line)));
                }
            }
        }
        let state = if self.installed { "is set up" } else { "is not set up" };
        paper.write_line(format!(
            "{} {state} for {}.",
            self.client,
            match self.scope.as_str() {
                "project" => "this repository",
                _ => "all your sessions",
            }
        ));
        for note in &self.notes {
            paper.write_note(&escape_controls(note));
        }
    }
}
