//! Text for questions and stuck tasks.

use orch_contract::ReasonView;
use orch_contract::orch::blocked::{BlockedResponse, PausedRun, QuestionView, StuckTaskView};
use orch_contract::orch::status::ReviewView;
use orch_contract::reason::ReasonCode;

use crate::{HumanReadable, TextPage, TextTone, escape_controls};

impl HumanReadable for BlockedResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let is_quiet = self.questions.is_empty() && self.reviews.is_empty();
        if is_quiet && self.stuck.is_empty() && self.paused.is_empty() {
            paper.write_line("Nothing is blocked.");
            return;
        }
        for one in &self.questions {
            write_question(paper, one);
            paper.write_note(&format!("  orch answer {} TEXT", one.task));
        }
        for one in &self.reviews {
            write_review(paper, one);
        }
        for paused in &self.paused {
            write_pause(paper, paused);
        }
        write_stuck_tasks(paper, &self.stuck);
        paper.write_truncation(self.questions.len() + self.stuck.len(), self.total, self.next.as_deref());
    }
}

/// Writes an attempt that waits for a review, with the commands that show and judge it.
pub(super) fn write_review(paper: &mut TextPage, review: &ReviewView) {
    let attempt = paper.painter().paint_text(TextTone::Attention, &format!("? {}", review.attempt));
    let since = paper.relative_time(review.at);
    paper.write_line(format!("{attempt}  waits for a review since {since}"));
    for next in &review.next {
        paper.write_note(&format!("  {}", escape_controls(next)));
    }
}

/// Writes a paused run with what ends the pause.
fn write_pause(paper: &mut TextPage, paused: &PausedRun) {
    let run = paper.painter().paint_text(TextTone::Attention, &format!("! {}", paused.run));
    let why = paused.pause.message.as_deref().map(|message| format!(": {}", escape_controls(message)));
    let since = paper.relative_time(paused.pause.at);
    paper.write_line(format!("{run}  paused {since}{}", why.unwrap_or_default()));
    for next in &paused.pause.next {
        paper.write_note(&format!("  {}", escape_controls(next)));
    }
}

/// Writes the stuck tasks; tasks with the same next command share a line.
pub(super) fn write_stuck_tasks(paper: &mut TextPage, list: &[StuckTaskView]) {
    if list.is_empty() {
        return;
    }
    paper.write_gap();
    paper.write_heading("Stuck");
    let mut groups: Vec<(&ReasonView, Vec<&str>)> = Vec::new();
    for (stuck, reason) in
        list.iter().flat_map(|stuck| stuck.reasons.iter().map(move |reason| (stuck, reason)))
    {
        let name = stuck.task.as_deref().unwrap_or(&stuck.run);
        let behind = reason.code.0 == ReasonCode::DependencyFailed && reason.next.is_some();
        let same = groups
            .iter_mut()
            .find(|(other, _)| behind && other.code == reason.code && other.next == reason.next);
        match same {
            Some((_, tasks)) => tasks.push(name),
            None => groups.push((reason, vec![name])),
        }
    }
    let mut said = None;
    for (reason, tasks) in groups {
        let (first, more) = (paper.painter().paint_text(TextTone::Strong, tasks[0]), tasks.len() - 1);
        let others = if more == 0 { String::new() } else { format!(" and {more} more") };
        paper.write_line(format!("  {first}{others}  {}", escape_controls(&reason.message)));
        for next in reason.next_commands().iter().filter(|_| said != Some(reason.next_commands())) {
            paper.write_note(&format!("    {}", escape_controls(next)));
        }
        said = Some(reason.next_commands());
    }
}

/// Writes a question with its options.
pub(super) fn write_question(paper: &mut TextPage, question: &QuestionView) {
    let paint = paper.painter();
    let task = paint.paint_text(TextTone::Attention, &format!("? {}", question.task));
    let about = paint.paint_text(
        TextTone::Faint,
        &format!("{} asked {}", question.agent, paper.relative_time(question.asked_at)),
    );
    paper.write_line(format!("{task}  {about}"));
    paper.write_block(&question.question, 2);
    for option in &question.options {
        paper.write_line(format!("  - {}", escape_controls(option)));
    }
    if let Some(default) = &question.default {
        paper.write_note(&format!("  default: {}", escape_controls(default)));
    }
}
