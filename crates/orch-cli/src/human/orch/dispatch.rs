//! What was dispatched, for people.

use orch_contract::orch::dispatch::{DispatchAnswer, Dispatched, DispatchedAll};

use super::counted;
use super::task::Line;
use crate::human::{Human, Paper, Tone, harmless};

impl Human for DispatchAnswer {
    fn human(&self, paper: &mut Paper) {
        match self {
            Self::One(dispatched) => one(paper, dispatched),
            Self::All(all) => many(paper, all),
        }
    }
}

fn one(paper: &mut Paper, dispatched: &Dispatched) {
    let Dispatched { task, attempt, thread } = dispatched;
    let id = paper.paint().text(Tone::Strong, Line::from(task).id);
    let place = match &attempt.worktree {
        Some(tree) => format!(", works in {}", harmless(&tree.path)),
        None => String::new(),
    };
    let thread = thread.as_ref().map_or("no thread yet", |thread| thread.id.as_str());
    let about = paper.paint().text(Tone::Faint, &format!("as {} in {thread}{place}", attempt.id));
    paper.line(format!("{id} → {}  {about}", attempt.agent));
}

fn many(paper: &mut Paper, all: &DispatchedAll) {
    if all.dispatched.is_empty() && all.refused.is_empty() {
        paper.line("Nothing is ready.");
        return;
    }
    if !all.dispatched.is_empty() {
        paper.line(format!("Dispatched {}.", counted(all.dispatched.len(), "task", "tasks")));
        for dispatched in &all.dispatched {
            one(paper, dispatched);
        }
    }
    for refused in &all.refused {
        let task = paper.paint().text(Tone::Strong, &refused.task);
        let label = paper.paint().text(Tone::Attention, "not dispatched:");
        let why = refused.reasons.first().map_or(&refused.message, |reason| &reason.message);
        paper.line(format!("{task}  {label} {}", harmless(why)));
        for next in refused.reasons.iter().filter_map(|reason| reason.next.as_ref()) {
            paper.note(&format!("  {}", harmless(next)));
        }
    }
}
