//! Questions and stuck tasks for people.

use orch_contract::Reason;
use orch_contract::orch::blocked::{BlockedAnswer, Question, Stuck};
use orch_contract::reason::ReasonCode;

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
        stuck(paper, &self.stuck);
        paper.rest(self.questions.len() + self.stuck.len(), self.total, self.next.as_deref());
    }
}

/// Writes what will not move by itself; tasks that the same command repairs share a line.
fn stuck(paper: &mut Paper, list: &[Stuck]) {
    if list.is_empty() {
        return;
    }
    paper.gap();
    paper.heading("Will not move by themselves");
    let mut groups: Vec<(&Reason, Vec<&str>)> = Vec::new();
    for (stuck, reason) in
        list.iter().flat_map(|stuck| stuck.reasons.iter().map(move |reason| (stuck, reason)))
    {
        let behind = reason.code.0 == ReasonCode::DependencyFailed && reason.next.is_some();
        let same = groups
            .iter_mut()
            .find(|(other, _)| behind && other.code == reason.code && other.next == reason.next);
        match same {
            Some((_, tasks)) => tasks.push(&stuck.task),
            None => groups.push((reason, vec![&stuck.task])),
        }
    }
    let mut said = None;
    for (reason, tasks) in groups {
        let (first, more) = (paper.paint().text(Tone::Strong, tasks[0]), tasks.len() - 1);
        let others = if more == 0 { String::new() } else { format!(" and {more} more") };
        paper.line(format!("  {first}{others}  {}", harmless(&reason.message)));
        if let Some(next) = reason.next.as_ref().filter(|next| said != Some(*next)) {
            paper.note(&format!("    {}", harmless(next)));
            said = Some(next);
        }
    }
}

/// Writes a question with what it offers.
pub(super) fn question(paper: &mut Paper, question: &Question) {
    let paint = paper.paint();
    let task = paint.text(Tone::Attention, &format!("? {}", question.task));
    let about =
        paint.text(Tone::Faint, &format!("{} asked {}", question.agent, paper.ago(question.asked_at)));
    paper.line(format!("{task}  {about}"));
    paper.block(&question.question, 2);
    for option in &question.options {
        paper.line(format!("  - {}", harmless(option)));
    }
    if let Some(default) = &question.default {
        paper.note(&format!("  default: {}", harmless(default)));
    }
}
