//! Worktrees, for people.

use orch_contract::orch::worktree::{PruneAnswer, Tree, WorktreeAnswer, WorktreeShowAnswer, WorktreesAnswer};
use orch_core::worktree::{Found, WorktreeState};

use super::counted;
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

/// What is to be said of a worktree in a word or two.
fn words(tree: &Tree) -> (String, Tone) {
    match (tree.state.0, tree.found.0) {
        (WorktreeState::Present, Found::There) => ("present".to_owned(), Tone::Good),
        (WorktreeState::Present, Found::Missing | Found::Nothing) => ("gone".to_owned(), Tone::Bad),
        (WorktreeState::Present, Found::Foreign) => ("no worktree".to_owned(), Tone::Bad),
        (WorktreeState::Planned, _) => ("planned".to_owned(), Tone::Attention),
        (WorktreeState::Removed, Found::Nothing) => ("removed".to_owned(), Tone::Faint),
        (WorktreeState::Removed, Found::There | Found::Missing | Found::Foreign) => {
            ("removed, and something is there".to_owned(), Tone::Attention)
        }
    }
}

fn short(commit: &str) -> &str {
    &commit[..commit.len().min(10)]
}

impl Human for WorktreesAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.worktrees.is_empty() {
            paper.line(format!("No worktrees in {}.", self.run));
            return;
        }
        let mut table = Table::new(&["ATTEMPT", "STATE", "WORKTREE", "PATH"]).elastic(3);
        for tree in &self.worktrees {
            let (words, tone) = words(tree);
            table.row(vec![
                Cell::new(&tree.attempt, Tone::Strong),
                Cell::plain(tree.attempt_state.to_string()),
                Cell::new(words, tone),
                Cell::plain(&tree.path),
            ]);
        }
        paper.table(&table);
        if !self.spares.is_empty() {
            let spares = counted(self.spares.len(), "finished worktree is", "finished worktrees are");
            paper.note(&format!("{spares} kept for the next attempts."));
        }
        paper.rest(self.worktrees.len(), self.total, self.next.as_deref());
    }
}

fn whole(paper: &mut Paper, tree: &Tree) {
    let (words, tone) = words(tree);
    let paint = paper.paint();
    paper.line(format!(
        "{}  {}  attempt {}",
        paint.text(Tone::Strong, &tree.attempt),
        paint.text(tone, &words),
        tree.attempt_state
    ));
    paper.line(format!("  {}", harmless(&tree.path)));
    paper.note(&format!("  branch {}, from {}", harmless(&tree.branch), short(&tree.base_commit)));
    if let Some(salvage) = &tree.salvage {
        paper.note(&format!("  kept as {}", harmless(salvage)));
    }
}

impl Human for WorktreeAnswer {
    fn human(&self, paper: &mut Paper) {
        whole(paper, &self.worktree);
        if self.worktree.state.0 == WorktreeState::Removed && self.worktree.salvage.is_some() {
            paper.note(&format!("  orch worktree restore {}", self.worktree.attempt));
        }
    }
}

impl Human for WorktreeShowAnswer {
    fn human(&self, paper: &mut Paper) {
        whole(paper, &self.worktree);
        if let Some(restore) = &self.restore {
            paper.note(&format!("  {restore}"));
        }
        let Some(contents) = &self.contents else { return };
        let commit = contents.commit.as_deref().map_or("no commit", short);
        let on = contents
            .branch
            .as_deref()
            .map_or_else(|| "no branch".to_owned(), |name| harmless(name).into_owned());
        paper.line(format!("  at {commit} on {on}"));
        if let Some(operation) = &contents.operation {
            let text = format!("  A {operation} waits to be finished.");
            paper.line(paper.paint().text(Tone::Attention, &text));
        }
        if contents.clean {
            paper.line("  Nothing is changed.");
        } else {
            let files = counted(contents.dirty_total, "file is", "files are");
            paper.line(format!("  {files} changed and not committed:"));
        }
        for file in &contents.dirty {
            paper.line(format!("    {}", harmless(file)));
        }
        if !contents.processes.is_empty() {
            let numbers: Vec<String> = contents.processes.iter().map(ToString::to_string).collect();
            paper.line(format!("  Worked in by process {}.", numbers.join(", ")));
        }
    }
}

impl Human for PruneAnswer {
    fn human(&self, paper: &mut Paper) {
        let (is, would) = if self.dry_run { ("would be", "would stay") } else { ("was", "stays") };
        if self.removed.is_empty() && self.stayed.is_empty() && self.spares.is_empty() {
            paper.line(format!("No worktrees in {}.", self.run));
            return;
        }
        for one in &self.removed {
            let name = paper.paint().text(Tone::Strong, &one.attempt);
            paper.line(format!("{name} {is} taken away: {}", harmless(&one.path)));
        }
        for path in &self.spares {
            paper.line(format!("A spare {is} taken away: {}", harmless(path)));
        }
        for one in &self.stayed {
            let name = paper.paint().text(Tone::Strong, &one.attempt);
            paper.line(format!("{name} {would}: {}", harmless(&one.reason)));
        }
        if let Some(first) = self.removed.first().filter(|_| !self.dry_run) {
            paper.note(&format!("  orch worktree restore {}", first.attempt));
        }
    }
}
