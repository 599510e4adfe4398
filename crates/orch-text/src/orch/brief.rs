//! The brief of a lead that starts without memory: plain text of at most 4 KB, identical on a terminal and in
//! a pipe.

use orch_contract::orch::brief::BriefResponse;
use orch_core::task::TaskState;
use orch_core::time::TimeSpan;

use crate::time::fine_span;
use crate::{HumanReadable, TextPage};

/// Renders the brief.
#[must_use]
pub fn brief_text(brief: &BriefResponse) -> String {
    let mut lines = vec![brief_header(brief)];
    if let Some(goal) = &brief.goal {
        lines.push(format!("goal: {goal}"));
    }
    if let Some(pause) = &brief.pause {
        lines.push(format!("paused: {pause}"));
    }
    let counts = TaskState::ALL.into_iter().filter_map(|state| {
        let count = brief.counts.count(state);
        (count > 0).then(|| format!("{count} {}", state.name()))
    });
    let counts: Vec<String> = counts.collect();
    if !counts.is_empty() {
        lines.push(counts.join(", "));
    }
    if !brief.reviews.is_empty() {
        lines.push(format!("REVIEWS  {}", brief.reviews.join(", ")));
    }
    push_section(&mut lines, "QUESTIONS", brief.questions.len(), brief.counts.count(TaskState::Blocked));
    for asked in &brief.questions {
        lines.push(format!(
            "  {} asks ({}): {}",
            asked.task,
            fine_span(TimeSpan(asked.age_ms)),
            asked.question
        ));
        lines.push(format!("    {}", asked.next));
    }
    push_section(
        &mut lines,
        "STUCK",
        brief.stuck.len(),
        i64::try_from(brief.stuck_total).unwrap_or(i64::MAX),
    );
    for one in &brief.stuck {
        let title = one.title.as_ref().map(|title| format!(" ({title})")).unwrap_or_default();
        lines.push(format!("  {}{title}: {}", one.task, one.reason));
        lines.extend(one.next.as_ref().map(|next| format!("    {next}")));
    }
    push_section(&mut lines, "UNDER WAY", brief.active.len(), count_active(brief));
    for one in &brief.active {
        let agent = one.agent.as_ref().map(|agent| format!(" by {agent}")).unwrap_or_default();
        let at = one.at.as_ref().map(|at| format!(": {at}")).unwrap_or_default();
        lines.push(format!(
            "  {} {}{agent}, {}{at}",
            one.task,
            one.state.0.name(),
            fine_span(TimeSpan(one.for_ms))
        ));
    }
    if !brief.ready.is_empty() {
        push_section(&mut lines, "READY", brief.ready.len(), brief.counts.count(TaskState::Ready));
        lines.push(format!("  {}", brief.ready.join(" ")));
    }
    lines.push("NEXT".to_owned());
    lines.extend(brief.next.iter().map(|next| format!("  {next}")));
    lines.push(String::new());
    lines.join("\n")
}

fn brief_header(brief: &BriefResponse) -> String {
    let outcome = brief.outcome.map(|outcome| format!(", {}", outcome.0.name())).unwrap_or_default();
    let eta =
        brief.eta_ms.map(|eta| format!(", about {} left", fine_span(TimeSpan(eta)))).unwrap_or_default();
    let driven = if brief.driven { ", driven by orch drive" } else { "" };
    let (state, progress) = (brief.state.0.name(), brief.progress);
    format!(
        "run {} ({}): {state}{outcome}, {} of {} done{eta}{driven}; as of {}",
        brief.run, brief.title, progress.done, progress.total, brief.cursor
    )
}

/// Writes a heading, with the total when not all entries are shown.
fn push_section(lines: &mut Vec<String>, heading: &str, shown: usize, total: i64) {
    if shown == 0 {
        return;
    }
    let all = i64::try_from(shown).is_ok_and(|shown| shown >= total);
    lines.push(if all { heading.to_owned() } else { format!("{heading} ({shown} of {total})") });
}

fn count_active(brief: &BriefResponse) -> i64 {
    let states = [TaskState::Dispatched, TaskState::Running, TaskState::Blocked, TaskState::Reported];
    states.into_iter().map(|state| brief.counts.count(state)).sum()
}

impl HumanReadable for BriefResponse {
    fn render_human(&self, paper: &mut TextPage) {
        brief_text(self).lines().for_each(|line| paper.write_line(line));
    }
}
