//! What landed, and what did not, for people.

use orch_contract::orch::land::{LandAnswer, LandedTask, LeftTask};
use orch_core::task::Checks;

use super::judgement::check;
use super::{counted, state};
use crate::human::{Human, Paper, Tone, harmless};

impl Human for LandAnswer {
    fn human(&self, paper: &mut Paper) {
        headline(paper, self);
        for one in &self.landed {
            landed(paper, one);
        }
        more(paper, self.landed.len(), self.landed_total);
        if self.unchecked_total > 0 {
            let tasks = counted(self.unchecked_total, "task", "tasks");
            let text = format!("Nothing has checked {tasks} of it.");
            paper.line(paper.paint().text(Tone::Attention, &text));
        }
        if !self.left.is_empty() {
            paper.gap();
            paper.heading("Did not land");
            for one in &self.left {
                left(paper, one);
            }
            more(paper, self.left.len(), self.left_total);
        }
        paper.gap();
        paper.heading("Next");
        paper.line(format!("  {}", harmless(&self.push)));
        if let Some(undo) = &self.undo {
            paper.line(format!("  {}", harmless(undo)));
            paper.note("The second one takes it back.");
        }
    }
}

/// Writes where it is now, and what was checked there.
pub(super) fn headline(paper: &mut Paper, answer: &LandAnswer) {
    let commit = &answer.commit[..answer.commit.len().min(10)];
    let run = paper.paint().text(Tone::Strong, &answer.run);
    let branch = harmless(&answer.branch);
    if answer.already {
        paper.line(format!("{run} is on {branch} already, which is at {commit}."));
    } else {
        paper.line(format!("{run} landed on {branch}, which is at {commit} now."));
    }
    for one in &answer.checks {
        check(paper, one);
    }
}

fn landed(paper: &mut Paper, one: &LandedTask) {
    let paint = paper.paint();
    let (mark, said) = match one.checks.0 {
        Checks::Passed => (paint.text(Tone::Good, "✓"), ""),
        Checks::None => (paint.text(Tone::Attention, "?"), "  not checked"),
        Checks::Overridden => (paint.text(Tone::Attention, "!"), "  accepted by hand"),
        Checks::Pending | Checks::Failed => (paint.text(Tone::Attention, "!"), ""),
    };
    let name = one.attempt.as_deref().unwrap_or(&one.task);
    let said = paint.text(Tone::Faint, said);
    paper.line(format!("  {mark} {name}  {}{said}", harmless(&one.title)));
}

fn left(paper: &mut Paper, one: &LeftTask) {
    let state = state::painted(paper.paint(), one.state.0);
    paper.line(format!("  {}  {state}  {}", one.task, harmless(&one.title)));
}

fn more(paper: &mut Paper, shown: usize, total: u64) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        paper.note(&format!("  … and {rest} more."));
    }
}
