//! Text for the evidence on a run.

use orch_app::orch::review::sections;
use orch_contract::orch::review::ReviewResponse;

use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for ReviewResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let paint = paper.painter();
        paper.write_heading(&format!("{}  {}", self.run, escape_controls(&self.title)));
        paper.write_line(sections::summary(self));
        for section in sections::sections(self) {
            paper.write_gap();
            paper.write_heading(&section.heading);
            for line in section.lines {
                let indent = if line.is_detail { "    " } else { "  " };
                let text = escape_controls(&line.text);
                paper.write_line(match &line.name {
                    Some(name) => {
                        format!(
                            "{indent}{}  {text}",
                            paint.paint_text(TextTone::Strong, &escape_controls(name))
                        )
                    }
                    None => format!("{indent}{text}"),
                });
            }
        }
        if !self.next.is_empty() {
            paper.write_gap();
            paper.write_heading("Next");
            self.next.iter().for_each(|command| paper.write_note(&format!("  {}", escape_controls(command))));
        }
    }
}
