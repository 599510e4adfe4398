//! The store's health, and requests, for people.

use orch_contract::orch::doctor::{DoctorAnswer, Finding, Level};
use orch_contract::orch::request::RequestAnswer;

use crate::human::{Cell, Human, Paper, Table, Tone};

impl Human for DoctorAnswer {
    fn human(&self, paper: &mut Paper) {
        findings(paper, &self.findings);
        paper.gap();
        paper.line(match self.verdict {
            Level::Ok => "The store is sound.",
            Level::Warning => "The store is sound; see the warnings.",
            Level::Error => "The store is not sound.",
        });
    }
}

/// Writes what was found.
pub(super) fn findings(paper: &mut Paper, findings: &[Finding]) {
    let mut table = Table::new(&["CHECK", "LEVEL", "FINDING"]);
    for finding in findings {
        let (word, tone) = word(finding.level);
        table.row(vec![Cell::plain(&finding.check), Cell::new(word, tone), Cell::plain(&finding.message)]);
    }
    paper.table(&table);
}

fn word(level: Level) -> (&'static str, Tone) {
    match level {
        Level::Ok => ("✓ ok", Tone::Good),
        Level::Warning => ("! warning", Tone::Attention),
        Level::Error => ("✗ error", Tone::Bad),
    }
}

impl Human for RequestAnswer {
    fn human(&self, paper: &mut Paper) {
        let request = &self.request;
        paper.line(format!("{} was applied {}, with the answer:", request.key, paper.ago(request.at)));
        let answer = serde_json::to_string_pretty(&request.answer).unwrap_or_default();
        paper.block(&answer, 2);
    }
}
