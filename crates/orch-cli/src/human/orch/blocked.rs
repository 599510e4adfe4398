//! Questions and stuck tasks for people.

use orch_contract::orch::blocked::{BlockedAnswer, Question};
use orch_core::time::Span;

use super::word;
use crate::human::time::coarse;
use crate::human::{Human, Paper, Tone, harmless};

impl Human for BlockedAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.questions.is_empty() && self.stuck.is_empty() {
            paper.line("Nothing is blocked.");
            return;
        }
        for one in &self.questions {
            question(paper, one);
            paper.note(&format!("  orch answer {} TEXT", one.task));
        }
        word::total(paper, self.questions.len(), self.total, "question", "questions");
        if !self.stuck.is_empty() {
            paper.gap();
            paper.heading("Will not move by themselves");
            for stuck in &self.stuck {
                for reason in &stuck.reasons {
                    let task = paper.paint().text(Tone::Strong, &stuck.task);
                    paper.line(format!("  {task}  {}", harmless(&reason.message)));
                    if let Some(next) = &reason.next {
                        paper.note(&format!("    {}", harmless(next)));
                    }
                }
            }
        }
    }
}

/// Writes a question with what it offers.
pub(super) fn question(paper: &mut Paper, question: &Question) {
    let paint = paper.paint();
    let task = paint.text(Tone::Attention, &format!("? {}", question.task));
    let about = paint.text(
        Tone::Faint,
        &format!("{} asks since {}", question.agent, coarse(Span(question.age_ms.max(0)))),
    );
    paper.line(format!("{task}  {about}"));
    paper.block(&question.question, 2);
    for option in &question.options {
        paper.line(format!("  - {}", harmless(option)));
    }
    if let Some(default) = &question.default {
        paper.note(&format!("  default: {}", harmless(default)));
    }
}
