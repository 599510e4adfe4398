//! Text for `orch clean`.

use orch_contract::orch::clean::CleanResponse;

use crate::human::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for CleanResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let (is, would) = if self.dry_run { ("would be", "would stay") } else { ("was", "stays") };
        if self.removes.is_empty() && self.keeps.is_empty() {
            paper.write_line("No damaged worktrees.");
        }
        for item in &self.removes {
            let name = paper.painter().paint_text(TextTone::Strong, &item.attempt);
            paper.write_line(format!("{name} {is} deleted: {}", escape_controls(&item.path)));
        }
        for item in &self.keeps {
            paper.write_line(format!(
                "{} {would}: {}",
                escape_controls(&item.what),
                escape_controls(&item.why)
            ));
        }
    }
}
