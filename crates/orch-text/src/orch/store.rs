//! Text for the store's health and for requests.

use orch_contract::orch::doctor::{DoctorResponse, FindingLevelView, FindingView};
use orch_contract::orch::request::RequestShowResponse;
use orch_contract::orch::store::{StoreBackupResponse, StoreRestoreResponse};
use orch_contract::orch::trust::TrustResponse;

use super::status::write_next_commands;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone};

impl HumanReadable for DoctorResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_findings(paper, &self.findings);
        paper.write_gap();
        paper.write_line(match self.verdict {
            FindingLevelView::Ok => "The store is sound.",
            FindingLevelView::Warning => "The store is sound; see the warnings.",
            FindingLevelView::Error => "The store is not sound.",
        });
    }
}

/// Writes the findings.
pub(super) fn write_findings(paper: &mut TextPage, findings: &[FindingView]) {
    let mut table = TextTable::new(&["CHECK", "LEVEL", "FINDING"]);
    for finding in findings {
        let (word, tone) = level_label(finding.level);
        table.push_row(vec![
            TableCell::plain(&finding.check),
            TableCell::new(word, tone),
            TableCell::plain(&finding.message),
        ]);
    }
    paper.write_table(&table);
}

impl HumanReadable for TrustResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.trusted.is_empty() {
            paper.write_line("No store or file is trusted by an exception.");
            return;
        }
        let mut table = TextTable::new(&["KIND", "PATH", "ID OR DIGEST"]);
        for entry in &self.trusted {
            let mark = entry.id.as_ref().or(entry.digest.as_ref());
            table.push_row(vec![
                TableCell::plain(&entry.kind),
                TableCell::plain(&entry.path),
                TableCell::plain(mark.map_or("when it is created", String::as_str)),
            ]);
        }
        paper.write_table(&table);
    }
}

impl HumanReadable for StoreBackupResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("The store is backed up in {}: {} rows, verified.", self.file, self.rows));
    }
}

impl HumanReadable for StoreRestoreResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("The store at {} is restored: {} rows.", self.store, self.rows));
        paper.write_line(format!("What it held before is in {}.", self.kept));
        if !self.ahead.is_empty() {
            paper.write_line("Git has more than the backup, and keeps it:");
        }
        for one in &self.ahead {
            paper.write_line(format!("  {} is at {}", one.reference, one.commit));
        }
        write_next_commands(paper, &self.next);
    }
}

fn level_label(level: FindingLevelView) -> (&'static str, TextTone) {
    match level {
        FindingLevelView::Ok => ("✓ ok", TextTone::Good),
        FindingLevelView::Warning => ("! warning", TextTone::Attention),
        FindingLevelView::Error => ("✗ error", TextTone::Bad),
    }
}

impl HumanReadable for RequestShowResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let request = &self.request;
        paper.write_line(format!(
            "{} was applied {}, with the answer:",
            request.key,
            paper.relative_time(request.at)
        ));
        let answer = serde_json::to_string_pretty(&request.answer).unwrap_or_default();
        paper.write_block(&answer, 2);
    }
}
