//! Text for the amount of output that commands printed.

use orch_contract::orch::meter::{MeterLine, MeterResponse};

use super::counted_noun;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone};

impl HumanReadable for MeterResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let (calls, bytes) =
            (counted_noun(self.calls, "call", "calls"), counted_noun(self.bytes, "byte", "bytes"));
        let tokens = counted_noun(self.tokens, "token", "tokens");
        paper.write_line(format!("{}: {calls} printed {bytes}, about {tokens}.", self.run));
        write_cost_table(paper, "AGENT", &self.agents);
        let more = self.agents_total.saturating_sub(self.agents.len() as u64);
        if more > 0 {
            paper.write_note(&format!("… and {more} more."));
        }
        write_cost_table(paper, "COMMAND", &self.commands);
    }
}

fn write_cost_table(paper: &mut TextPage, name: &'static str, lines: &[MeterLine]) {
    if lines.is_empty() {
        return;
    }
    paper.write_gap();
    let mut table = TextTable::new(&[name, "CALLS", "BYTES", "TOKENS"]);
    for line in lines {
        table.push_row(vec![
            TableCell::new(&line.name, TextTone::Strong),
            TableCell::plain(line.calls.to_string()),
            TableCell::plain(line.bytes.to_string()),
            TableCell::plain(line.tokens.to_string()),
        ]);
    }
    paper.write_table(&table);
}
