//! What our own output cost, for people.

use orch_contract::orch::meter::{MeterAnswer, MeterLine};

use super::counted;
use crate::human::{Cell, Human, Paper, Table, Tone};

impl Human for MeterAnswer {
    fn human(&self, paper: &mut Paper) {
        let (calls, bytes) = (counted(self.calls, "call", "calls"), counted(self.bytes, "byte", "bytes"));
        let tokens = counted(self.tokens, "token", "tokens");
        paper.line(format!("{}: {calls} printed {bytes}, about {tokens}.", self.run));
        table(paper, "AGENT", &self.agents);
        let more = self.agents_total.saturating_sub(self.agents.len() as u64);
        if more > 0 {
            paper.note(&format!("… and {more} more."));
        }
        table(paper, "COMMAND", &self.commands);
    }
}

fn table(paper: &mut Paper, name: &'static str, lines: &[MeterLine]) {
    if lines.is_empty() {
        return;
    }
    paper.gap();
    let mut table = Table::new(&[name, "CALLS", "BYTES", "TOKENS"]);
    for line in lines {
        table.row(vec![
            Cell::new(&line.name, Tone::Strong),
            Cell::plain(line.calls.to_string()),
            Cell::plain(line.bytes.to_string()),
            Cell::plain(line.tokens.to_string()),
        ]);
    }
    paper.table(&table);
}
