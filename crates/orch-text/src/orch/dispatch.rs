//! Text for dispatched tasks.

use orch_contract::ReasonView;
use orch_contract::orch::dispatch::{BulkDispatch, DispatchResponse, DispatchedTask};

use super::counted_noun;
use super::task::TaskLine;
use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for DispatchResponse {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::One(dispatched) => write_dispatched(paper, dispatched),
            Self::All(all) => write_dispatched_all(paper, all),
        }
    }
}

fn write_dispatched(paper: &mut TextPage, dispatched: &DispatchedTask) {
    let DispatchedTask { task, attempt, thread } = dispatched;
    let id = paper.painter().paint_text(TextTone::Strong, TaskLine::from(task).id);
    let place = match &attempt.worktree {
        Some(tree) => format!(", works in {}", escape_controls(&tree.path)),
        None => String::new(),
    };
    let thread = thread.as_ref().map_or("no thread yet", |thread| thread.id.as_str());
    let about = paper.painter().paint_text(TextTone::Faint, &format!("as {} in {thread}{place}", attempt.id));
    paper.write_line(format!("{id} → {}  {about}", attempt.agent));
}

fn write_dispatched_all(paper: &mut TextPage, all: &BulkDispatch) {
    if all.dispatched.is_empty() && all.refused.is_empty() {
        paper.write_line("Nothing is ready.");
        return;
    }
    if !all.dispatched.is_empty() {
        paper.write_line(format!("Dispatched {}.", counted_noun(all.dispatched.len(), "task", "tasks")));
        for dispatched in &all.dispatched {
            write_dispatched(paper, dispatched);
        }
    }
    for refused in &all.refused {
        let task = paper.painter().paint_text(TextTone::Strong, &refused.task);
        let label = paper.painter().paint_text(TextTone::Attention, "not dispatched:");
        let why = refused.reasons.first().map_or(&refused.message, |reason| &reason.message);
        paper.write_line(format!("{task}  {label} {}", escape_controls(why)));
        for next in refused.reasons.iter().flat_map(ReasonView::next_commands) {
            paper.write_note(&format!("  {}", escape_controls(next)));
        }
    }
}
