//! Text for agents and their work.

use orch_contract::orch::agents::AgentsResponse;

use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone};

impl HumanReadable for AgentsResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.agents.is_empty() {
            paper.write_line("No agents yet.");
            return;
        }
        let mut table =
            TextTable::new(&["AGENT", "PROFILE", "LAST SEEN", "CLAIMED", "QUEUED", "UNREAD", "ATTEMPTS"])
                .with_elastic_column(6);
        for agent in &self.agents {
            let seen = agent.last_seen_at.map_or_else(|| "never".to_owned(), |at| paper.relative_time(at));
            let shown = agent.attempts.len() as u64;
            let more = match agent.attempts_total.saturating_sub(shown) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            table.push_row(vec![
                TableCell::new(&agent.name, TextTone::Strong),
                TableCell::plain(agent.profile.as_deref().unwrap_or("-")),
                TableCell::plain(seen),
                TableCell::plain(agent.claimed.to_string()),
                TableCell::plain(agent.queued.to_string()),
                TableCell::plain(agent.unread.to_string()),
                TableCell::plain(format!("{}{more}", agent.attempts.join(", "))),
            ]);
        }
        paper.write_table(&table);
        paper.write_truncation(self.agents.len(), self.total, self.next.as_deref());
    }
}
