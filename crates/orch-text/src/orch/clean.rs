//! Text for `orch clean`.

use orch_contract::orch::clean::{CleanResponse, KeptResourceView, RemovedResourceView};

use crate::{HumanReadable, TextPage, TextTone, escape_controls};

/// How many lines of each list are shown.
const LINES_SHOWN: usize = 30;

impl HumanReadable for CleanResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.removes.is_empty() && self.keeps.is_empty() {
            paper.write_line("Nothing to delete.");
        }
        write_removal(paper, self.dry_run, &self.removes, &self.keeps);
    }
}

/// Writes what was deleted, or would be, and what stays.
pub(super) fn write_removal(
    paper: &mut TextPage,
    dry_run: bool,
    removes: &[RemovedResourceView],
    keeps: &[KeptResourceView],
) {
    let (is, stays) = if dry_run { ("Would delete", "Would keep") } else { ("Deleted", "Kept") };
    for item in removes.iter().take(LINES_SHOWN) {
        let about = item.attempt.as_ref().map_or_else(String::new, |attempt| format!(" of {attempt}"));
        let path = paper.painter().paint_text(TextTone::Strong, &escape_controls(&item.path));
        paper.write_line(format!("{is} {}{about}: {path}", item.what));
    }
    write_rest(paper, removes.len());
    for item in keeps.iter().take(LINES_SHOWN) {
        paper.write_line(format!("{stays} {}: {}", escape_controls(&item.what), escape_controls(&item.why)));
    }
    write_rest(paper, keeps.len());
}

fn write_rest(paper: &mut TextPage, total: usize) {
    if total > LINES_SHOWN {
        paper.write_note(&format!("  … and {} more; --json lists all.", total - LINES_SHOWN));
    }
}
