//! Text for checks, judgements and merges.

use orch_contract::orch::judgement::{IntegrateResponse, VerifyResponse};
use orch_contract::{CheckView, TaskSummary};
use orch_core::check::CheckState;
use orch_core::escape;

use super::counted_noun;
use super::status::write_next_commands;
use super::task::TaskLine;
use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for VerifyResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let id = paper.painter().paint_text(TextTone::Strong, TaskLine::from(&self.task).id);
        if self.checks.is_empty() {
            paper.write_line(format!("{id}: nothing to check."));
        } else {
            paper.write_line(format!("{id}: {} passed.", counted_noun(self.checks.len(), "check", "checks")));
        }
        for one in &self.checks {
            write_check(paper, one);
        }
        if self.attempt.worktree.is_some() {
            paper.write_note("  orch integrate");
        }
    }
}

/// Writes a check as one line.
pub(super) fn write_check(paper: &mut TextPage, check: &CheckView) {
    let (mark, tone) = match check.state.0 {
        CheckState::Passed => ("✓", TextTone::Good),
        CheckState::Failed | CheckState::TimedOut => ("✗", TextTone::Bad),
        CheckState::CouldNotStart => ("!", TextTone::Attention),
    };
    let mark = paper.painter().paint_text(tone, mark);
    let what = if check.command.is_empty() { check.message.as_deref().unwrap_or("") } else { &check.command };
    let mut facts = vec![format!("{} ms", check.duration_ms)];
    if check.reused {
        facts.push("known result".to_owned());
    }
    if check.flaky {
        facts.push("flaky".to_owned());
    }
    let facts = paper.painter().paint_text(TextTone::Faint, &facts.join(", "));
    paper.write_line(format!("  {mark} {}  {facts}", escape_controls(what)));
}

impl HumanReadable for IntegrateResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let branch = self.branch.as_deref().unwrap_or("the run's branch");
        let is_idle = self.integrated.is_empty() && self.rejected.is_empty() && self.faults.is_empty();
        if is_idle && self.resolving.is_empty() {
            paper.write_line("Nothing to merge.");
            return;
        }
        if !self.integrated.is_empty() {
            let tasks = counted_noun(self.integrated.len(), "attempt", "attempts");
            paper.write_line(format!("Merged {tasks} into {}.", escape_controls(branch)));
        }
        for one in &self.integrated {
            let mark = paper.painter().paint_text(TextTone::Good, "✓");
            let commit = one.commit.as_deref().map_or("", |commit| &commit[..commit.len().min(10)]);
            let commit = paper.painter().paint_text(TextTone::Faint, commit);
            paper.write_line(format!("  {mark} {}  {commit}", one.attempt.as_deref().unwrap_or("")));
        }
        for one in &self.rejected {
            let mark = paper.painter().paint_text(TextTone::Bad, "✗");
            let reason = one.reason.as_deref().unwrap_or("");
            paper.write_line(format!(
                "  {mark} {}  {}",
                one.attempt.as_deref().unwrap_or(""),
                escape_controls(reason)
            ));
        }
        for one in &self.faults {
            let mark = paper.painter().paint_text(TextTone::Attention, "!");
            let reason = one.reason.as_deref().unwrap_or("");
            paper.write_line(format!(
                "  {mark} {}  {}",
                one.attempt.as_deref().unwrap_or(""),
                escape_controls(reason)
            ));
        }
        for one in &self.resolving {
            write_resolving_task(paper, &one.task, &one.paths);
        }
        write_next_commands(paper, &self.next);
    }
}

/// Writes a task that resolves a conflict, with the files in conflict.
pub(super) fn write_resolving_task(paper: &mut TextPage, task: &TaskSummary, paths: &[String]) {
    let name = paper.painter().paint_text(TextTone::Strong, &task.id);
    let files = escape::join_names(paths.iter().map(String::as_str));
    paper.write_line(format!("{name}: {}, in {files}.", escape_controls(&task.title)));
}
