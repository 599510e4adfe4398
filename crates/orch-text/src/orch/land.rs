//! Text for a landing: what landed and what did not.

use orch_contract::orch::land::{LandResponse, LandedTask, LeftTask};
use orch_core::run::LandingManner;
use orch_core::task::ChecksStatus;

use super::judgement::{write_check, write_resolving_task};
use super::status::write_next_commands;
use super::{counted_noun, state};
use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for LandResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if let Some(task) = &self.task {
            write_resolving_task(paper, task, &self.paths);
            return write_next_commands(paper, &self.next);
        }
        write_headline(paper, self);
        for one in &self.landed {
            write_landed_task(paper, one);
        }
        write_more(paper, self.landed.len(), self.landed_total);
        if self.unchecked_total > 0 {
            let tasks = counted_noun(self.unchecked_total, "task", "tasks");
            let text = format!("No check covered {tasks}.");
            paper.write_line(paper.painter().paint_text(TextTone::Attention, &text));
        }
        if !self.left.is_empty() {
            paper.write_gap();
            paper.write_heading("Did not land");
            for one in &self.left {
                write_left_task(paper, one);
            }
            write_more(paper, self.left.len(), self.left_total);
        }
        paper.write_gap();
        paper.write_heading("Next");
        paper.write_line(format!("  {}", escape_controls(&self.push)));
        if let Some(undo) = &self.undo {
            paper.write_line(format!("  {}", escape_controls(undo)));
            paper.write_note("The second command undoes the landing.");
        }
    }
}

/// Writes the new position of the branch, and the checks that ran on it.
pub(super) fn write_headline(paper: &mut TextPage, answer: &LandResponse) {
    let commit = &answer.commit[..answer.commit.len().min(10)];
    let run = paper.painter().paint_text(TextTone::Strong, &answer.run);
    let branch = escape_controls(&answer.branch);
    if answer.already {
        paper.write_line(format!("{run} is already on {branch} (now at {commit})."));
    } else {
        paper.write_line(format!("{run} landed on {branch} (now at {commit})."));
    }
    for one in &answer.checks {
        write_check(paper, one);
    }
    if let Some(reason) = &answer.reason {
        let what = match answer.manner.map(|manner| manner.0) {
            Some(LandingManner::Pushed) => "Its files are not those that a merge makes",
            Some(LandingManner::Checked | LandingManner::Unverified) | None => "No checks ran",
        };
        let text = format!("{what}: {}", escape_controls(reason));
        paper.write_line(paper.painter().paint_text(TextTone::Attention, &text));
    }
}

fn write_landed_task(paper: &mut TextPage, one: &LandedTask) {
    let paint = paper.painter();
    let (mark, said) = match one.checks.0 {
        ChecksStatus::Passed => (paint.paint_text(TextTone::Good, "✓"), ""),
        ChecksStatus::None => (paint.paint_text(TextTone::Attention, "?"), "  not checked"),
        ChecksStatus::Overridden => (paint.paint_text(TextTone::Attention, "!"), "  accepted by hand"),
        ChecksStatus::Pending | ChecksStatus::Failed => (paint.paint_text(TextTone::Attention, "!"), ""),
    };
    let name = one.attempt.as_deref().unwrap_or(&one.task);
    let said = paint.paint_text(TextTone::Faint, said);
    paper.write_line(format!("  {mark} {name}  {}{said}", escape_controls(&one.title)));
}

fn write_left_task(paper: &mut TextPage, one: &LeftTask) {
    let state = state::painted_state(paper.painter(), one.state.0);
    paper.write_line(format!("  {}  {state}  {}", one.task, escape_controls(&one.title)));
}

fn write_more(paper: &mut TextPage, shown: usize, total: u64) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        paper.write_note(&format!("  … and {rest} more."));
    }
}
