//! What was judged and merged, for people.

use orch_contract::Check;
use orch_contract::orch::judgement::{IntegrateAnswer, VerifyAnswer};
use orch_core::check::CheckState;

use super::counted;
use super::task::Line;
use crate::human::{Human, Paper, Tone, harmless};

impl Human for VerifyAnswer {
    fn human(&self, paper: &mut Paper) {
        let id = paper.paint().text(Tone::Strong, Line::from(&self.task).id);
        if self.checks.is_empty() {
            paper.line(format!("{id}: there is nothing to check."));
        } else {
            paper.line(format!("{id}: {} passed.", counted(self.checks.len(), "check", "checks")));
        }
        for one in &self.checks {
            check(paper, one);
        }
        if self.attempt.worktree.is_some() {
            paper.note("  orch integrate");
        }
    }
}

/// A check as a line.
pub(super) fn check(paper: &mut Paper, check: &Check) {
    let (mark, tone) = match check.state.0 {
        CheckState::Passed => ("✓", Tone::Good),
        CheckState::Failed | CheckState::TimedOut => ("✗", Tone::Bad),
        CheckState::CouldNotStart => ("!", Tone::Attention),
    };
    let mark = paper.paint().text(tone, mark);
    let what = if check.command.is_empty() { check.message.as_deref().unwrap_or("") } else { &check.command };
    let took = paper.paint().text(Tone::Faint, &format!("{} ms", check.duration_ms));
    paper.line(format!("  {mark} {}  {took}", harmless(what)));
}

impl Human for IntegrateAnswer {
    fn human(&self, paper: &mut Paper) {
        let branch = self.branch.as_deref().unwrap_or("the run's branch");
        if self.integrated.is_empty() && self.rejected.is_empty() && self.faults.is_empty() {
            paper.line("There is nothing to merge.");
            return;
        }
        if !self.integrated.is_empty() {
            let tasks = counted(self.integrated.len(), "attempt", "attempts");
            paper.line(format!("Merged {tasks} into {}.", harmless(branch)));
        }
        for one in &self.integrated {
            let mark = paper.paint().text(Tone::Good, "✓");
            let commit = one.commit.as_deref().map_or("", |commit| &commit[..commit.len().min(10)]);
            let commit = paper.paint().text(Tone::Faint, commit);
            paper.line(format!("  {mark} {}  {commit}", one.attempt.as_deref().unwrap_or("")));
        }
        for one in &self.rejected {
            let mark = paper.paint().text(Tone::Bad, "✗");
            let reason = one.reason.as_deref().unwrap_or("");
            paper.line(format!("  {mark} {}  {}", one.attempt.as_deref().unwrap_or(""), harmless(reason)));
        }
        for one in &self.faults {
            let mark = paper.paint().text(Tone::Attention, "!");
            let reason = one.reason.as_deref().unwrap_or("");
            paper.line(format!("  {mark} {}  {}", one.attempt.as_deref().unwrap_or(""), harmless(reason)));
        }
    }
}
