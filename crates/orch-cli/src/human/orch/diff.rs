//! What an attempt changed, on a terminal.

use orch_contract::orch::diff::DiffAnswer;

use crate::human::{Human, Paper, Tone, harmless};

impl Human for DiffAnswer {
    fn human(&self, paper: &mut Paper) {
        match &self.diff {
            Some(diff) => patch(paper, diff),
            None => self.stat.lines().for_each(|line| paper.line(harmless(line))),
        }
        if self.files_total == 0 {
            paper.note(&format!("{} has committed nothing.", self.attempt));
        }
    }
}

/// Lines as git paints them; tabs stay, because what is between them is in columns.
fn patch(paper: &mut Paper, diff: &str) {
    let paint = paper.paint();
    let mut is_head = true;
    for line in diff.lines() {
        let shown = line.split('\t').map(harmless).collect::<Vec<_>>().join("\t");
        is_head = match line.as_bytes() {
            [b'd', b'i', b'f', b'f', b' ', ..] => true,
            [b'@', b'@', ..] => false,
            _ => is_head,
        };
        let tone = match line.as_bytes().first() {
            _ if is_head => Tone::Strong,
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            Some(b'@') => Tone::Faint,
            _ => Tone::Plain,
        };
        paper.line(paint.text(tone, &shown));
    }
}
