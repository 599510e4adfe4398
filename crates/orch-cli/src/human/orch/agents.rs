//! Agents and their work, for people.

use orch_contract::orch::agents::AgentsAnswer;

use crate::human::{Cell, Human, Paper, Table, Tone};

impl Human for AgentsAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.agents.is_empty() {
            paper.line("No agents yet.");
            return;
        }
        let mut table =
            Table::new(&["AGENT", "PROFILE", "LAST SEEN", "CLAIMED", "QUEUED", "UNREAD", "ATTEMPTS"])
                .elastic(6);
        for agent in &self.agents {
            let seen = agent.last_seen_at.map_or_else(|| "never".to_owned(), |at| paper.ago(at));
            let shown = agent.attempts.len() as u64;
            let more = match agent.attempts_total.saturating_sub(shown) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            table.row(vec![
                Cell::new(&agent.name, Tone::Strong),
                Cell::plain(agent.profile.as_deref().unwrap_or("-")),
                Cell::plain(seen),
                Cell::plain(agent.claimed.to_string()),
                Cell::plain(agent.queued.to_string()),
                Cell::plain(agent.unread.to_string()),
                Cell::plain(format!("{}{more}", agent.attempts.join(", "))),
            ]);
        }
        paper.table(&table);
        paper.rest(self.agents.len(), self.total, self.next.as_deref());
    }
}
