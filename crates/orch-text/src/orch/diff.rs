//! Text for the changes of an attempt.

use orch_contract::orch::diff::DiffResponse;

use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for DiffResponse {
    fn render_human(&self, paper: &mut TextPage) {
        match &self.diff {
            Some(diff) => write_patch(paper, diff),
            None => self.stat.lines().for_each(|line| paper.write_line(escape_controls(line))),
        }
        if self.files_total == 0 {
            paper.write_note(&format!("{} has no commits.", self.attempt));
        }
    }
}

/// Paints a line as git does; tabs stay, because git aligns columns with them.
fn write_patch(paper: &mut TextPage, diff: &str) {
    let paint = paper.painter();
    let mut is_head = true;
    for line in diff.lines() {
        let shown = line.split('\t').map(escape_controls).collect::<Vec<_>>().join("\t");
        is_head = match line.as_bytes() {
            [b'd', b'i', b'f', b'f', b' ', ..] => true,
            [b'@', b'@', ..] => false,
            _ => is_head,
        };
        let tone = match line.as_bytes().first() {
            _ if is_head => TextTone::Strong,
            Some(b'+') => TextTone::Good,
            Some(b'-') => TextTone::Bad,
            Some(b'@') => TextTone::Faint,
            _ => TextTone::Plain,
        };
        paper.write_line(paint.paint_text(tone, &shown));
    }
}
