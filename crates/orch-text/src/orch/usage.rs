//! Text for what attempts used.

use orch_contract::orch::usage::{UsageResponse, UsageRowView};
use orch_contract::{TokensView, UsdAmount};
use orch_core::run::CostSource;
use orch_core::run::usage::DollarAmount;

use super::counted_noun;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone};

impl HumanReadable for UsageResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.rows.is_empty() {
            paper.write_line("Nothing was used.");
            return;
        }
        let mut table = TextTable::new(&[
            "DAY", "RUN", "PROFILE", "TASK", "COST", "INPUT", "CACHED", "OUTPUT", "ATTEMPTS",
        ]);
        for row in &self.rows {
            table.push_row(row_cells(row));
        }
        paper.write_table(&table);
        if self.rows.iter().any(|row| row.cost_source.0 == CostSource::Unknown) {
            paper.write_note("The cost of some attempts is unknown; it is left out of what is shown.");
        }
        paper.write_truncation(self.rows.len(), self.total, self.next.as_deref());
    }
}

fn row_cells(row: &UsageRowView) -> Vec<TableCell> {
    let name = |name: &Option<String>| TableCell::plain(name.clone().unwrap_or_else(|| "-".to_owned()));
    let tokens = |part: fn(&TokensView) -> i64| {
        TableCell::plain(row.tokens.as_ref().map_or_else(|| "unknown".to_owned(), |it| part(it).to_string()))
    };
    vec![
        TableCell::new(row.day.as_deref().unwrap_or("-"), TextTone::Strong),
        name(&row.run),
        name(&row.profile),
        name(&row.task),
        TableCell::plain(cost_text(row.cost_usd, row.cost_source.0)),
        tokens(|tokens| tokens.input),
        tokens(|tokens| tokens.cached_input),
        tokens(|tokens| tokens.output),
        TableCell::plain(row.attempts.to_string()),
    ]
}

/// Returns a cost with what is known about it.
fn cost_text(cost: Option<UsdAmount>, source: CostSource) -> String {
    match (cost, source) {
        (None, _) => "unknown".to_owned(),
        (Some(cost), CostSource::Reported) => DollarAmount(cost.0).to_string(),
        (Some(cost), CostSource::Computed) => format!("{} (computed)", DollarAmount(cost.0)),
        (Some(cost), CostSource::Unknown) => format!("{} or more", DollarAmount(cost.0)),
    }
}

/// Returns what was used, as far as it is known: `used 0.80 USD, 135 tokens`.
pub(super) fn usage_text(cost: Option<UsdAmount>, tokens: Option<&TokensView>) -> Option<String> {
    let cost = cost.map(|cost| format!("{} USD", DollarAmount(cost.0)));
    let tokens =
        tokens.map(|tokens| counted_noun((tokens.input + tokens.output).unsigned_abs(), "token", "tokens"));
    match (cost, tokens) {
        (None, None) => None,
        (Some(cost), None) => Some(format!("used {cost}")),
        (Some(cost), Some(tokens)) => Some(format!("used {cost}, {tokens}")),
        (None, Some(tokens)) => Some(format!("used {tokens}, cost unknown")),
    }
}
