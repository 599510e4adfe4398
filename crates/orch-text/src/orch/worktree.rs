//! Text for worktrees.

use orch_contract::orch::worktree::{
    AtticWorktree, InspectedWorktree, PruneResponse, WorktreeListResponse, WorktreeRemoveResponse,
    WorktreeResponse, WorktreeShowResponse,
};
use orch_core::worktree::{WorktreePresence, WorktreeState};

use super::counted_noun;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

/// Describes a worktree in a word or two.
fn tree_summary(tree: &InspectedWorktree) -> (String, TextTone) {
    match (tree.state.0, tree.found.0) {
        (WorktreeState::Present, WorktreePresence::There) => ("present".to_owned(), TextTone::Good),
        (WorktreeState::Present, WorktreePresence::Missing | WorktreePresence::Nothing) => {
            ("gone".to_owned(), TextTone::Bad)
        }
        (WorktreeState::Present, WorktreePresence::Foreign) => ("no worktree".to_owned(), TextTone::Bad),
        (WorktreeState::Attic, _) => ("damaged, in the attic".to_owned(), TextTone::Bad),
        (WorktreeState::Planned, _) => ("planned".to_owned(), TextTone::Attention),
        (WorktreeState::Removed, WorktreePresence::Nothing) => ("removed".to_owned(), TextTone::Faint),
        (
            WorktreeState::Removed,
            WorktreePresence::There | WorktreePresence::Missing | WorktreePresence::Foreign,
        ) => ("removed, but the path is occupied".to_owned(), TextTone::Attention),
    }
}

fn short_commit(commit: &str) -> &str {
    &commit[..commit.len().min(10)]
}

impl HumanReadable for WorktreeListResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if let Some(attic) = &self.attic {
            return write_attic(paper, attic);
        }
        if self.worktrees.is_empty() {
            paper.write_line(format!("No worktrees in {}.", self.run.as_deref().unwrap_or_default()));
            return;
        }
        let mut table = TextTable::new(&["ATTEMPT", "STATE", "WORKTREE", "PATH"]).with_elastic_column(3);
        for tree in &self.worktrees {
            let (words, tone) = tree_summary(tree);
            table.push_row(vec![
                TableCell::new(&tree.attempt, TextTone::Strong),
                TableCell::plain(tree.attempt_state.to_string()),
                TableCell::new(words, tone),
                TableCell::plain(&tree.path),
            ]);
        }
        paper.write_table(&table);
        if !self.spares.is_empty() {
            let spares = counted_noun(self.spares.len(), "finished worktree is", "finished worktrees are");
            paper.write_note(&format!("{spares} kept for reuse."));
        }
        paper.write_truncation(self.worktrees.len(), self.total, self.next.as_deref());
    }
}

fn write_attic(paper: &mut TextPage, attic: &[AtticWorktree]) {
    if attic.is_empty() {
        return paper.write_line("No damaged worktrees.");
    }
    let mut table = TextTable::new(&["ATTEMPT", "DAMAGE", "PATH"]).with_elastic_column(2);
    for tree in attic {
        let reason = if tree.exists { tree.reason.as_str() } else { "deleted" };
        table.push_row(vec![
            TableCell::new(&tree.attempt, TextTone::Strong),
            TableCell::plain(reason),
            TableCell::plain(&tree.path),
        ]);
    }
    paper.write_table(&table);
    if let Some(first) = attic.first() {
        paper.write_note(&format!("  orch worktree remove {} --force", first.attempt));
    }
}

fn write_full_tree(paper: &mut TextPage, tree: &InspectedWorktree) {
    let (words, tone) = tree_summary(tree);
    let paint = paper.painter();
    paper.write_line(format!(
        "{}  {}  attempt {}",
        paint.paint_text(TextTone::Strong, &tree.attempt),
        paint.paint_text(tone, &words),
        tree.attempt_state
    ));
    paper.write_line(format!("  {}", escape_controls(&tree.path)));
    paper.write_note(&format!(
        "  branch {}, from {}",
        escape_controls(&tree.branch),
        short_commit(&tree.base_commit)
    ));
    if let Some(salvage) = &tree.salvage {
        paper.write_note(&format!("  kept as {}", escape_controls(salvage)));
    }
}

impl HumanReadable for WorktreeResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_full_tree(paper, &self.worktree);
        if self.worktree.state.0 == WorktreeState::Removed && self.worktree.salvage.is_some() {
            paper.write_note(&format!("  orch worktree restore {}", self.worktree.attempt));
        }
    }
}

impl HumanReadable for WorktreeRemoveResponse {
    fn render_human(&self, paper: &mut TextPage) {
        WorktreeResponse { worktree: self.worktree.clone() }.render_human(paper);
        if !self.lost.is_empty() {
            paper.write_line("  Deleted without being saved:");
        }
        for part in &self.lost {
            paper.write_line(format!(
                "    {} {}",
                escape_controls(&part.path),
                escape_controls(&part.reason)
            ));
        }
    }
}

impl HumanReadable for WorktreeShowResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_full_tree(paper, &self.worktree);
        if let Some(restore) = &self.restore {
            paper.write_note(&format!("  {restore}"));
        }
        let Some(contents) = &self.contents else { return };
        let commit = contents.commit.as_deref().map_or("no commit", short_commit);
        let on = contents
            .branch
            .as_deref()
            .map_or_else(|| "no branch".to_owned(), |name| escape_controls(name).into_owned());
        paper.write_line(format!("  at {commit} on {on}"));
        if let Some(operation) = &contents.operation {
            let text = format!("  A {operation} is in progress.");
            paper.write_line(paper.painter().paint_text(TextTone::Attention, &text));
        }
        if contents.clean {
            paper.write_line("  No uncommitted changes.");
        } else {
            let files = counted_noun(contents.dirty_total, "file", "files");
            paper.write_line(format!("  {files} with uncommitted changes:"));
        }
        for file in &contents.dirty {
            paper.write_line(format!("    {}", escape_controls(file)));
        }
        if !contents.processes.is_empty() {
            let numbers: Vec<String> = contents.processes.iter().map(ToString::to_string).collect();
            paper.write_line(format!("  In use by process {}.", numbers.join(", ")));
        }
    }
}

impl HumanReadable for PruneResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let (is, would) = if self.dry_run { ("would be", "would stay") } else { ("was", "stays") };
        if self.removed.is_empty() && self.stayed.is_empty() && self.spares.is_empty() {
            paper.write_line(format!("No worktrees in {}.", self.run));
            return;
        }
        for one in &self.removed {
            let name = paper.painter().paint_text(TextTone::Strong, &one.attempt);
            paper.write_line(format!("{name} {is} removed: {}", escape_controls(&one.path)));
        }
        for path in &self.spares {
            paper.write_line(format!("A spare {is} removed: {}", escape_controls(path)));
        }
        for one in &self.stayed {
            let name = paper.painter().paint_text(TextTone::Strong, &one.attempt);
            paper.write_line(format!("{name} {would}: {}", escape_controls(&one.reason)));
        }
        if let Some(first) = self.removed.first().filter(|_| !self.dry_run) {
            paper.write_note(&format!("  orch worktree restore {}", first.attempt));
        }
    }
}
