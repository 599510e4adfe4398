//! A run at a glance: progress, workers, questions, and the next commands.

use orch_contract::orch::run::{BriefOrRuns, OpenRunsResponse, StatusOrRuns};
use orch_contract::orch::status::{ActiveTask, ClashView, FailedTask, StatusResponse};
use orch_core::task::TaskState;
use orch_core::time::TimeSpan;

use super::blocked::{write_question, write_review, write_stuck_tasks};
use super::counted_noun;
use super::run::{progress_bar, write_landing, write_run_header, write_run_table};
use super::state;
use super::task::{TaskLine, write_task_table};
use super::usage::usage_text;
use crate::time::fine_span;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

/// Writes the status without the next commands.
pub(super) fn write_overview(paper: &mut TextPage, status: &StatusResponse) {
    write_progress(paper, status);
    write_active(paper, &status.active);
    if !status.questions.is_empty() {
        write_section(paper, "Questions");
        for one in &status.questions {
            write_question(paper, one);
        }
    }
    if !status.reviews.is_empty() {
        write_section(paper, "Reviews");
        for one in &status.reviews {
            write_review(paper, one);
        }
    }
    write_clashes(paper, &status.clashes);
    write_ready(paper, status);
    write_failed(paper, &status.failed, status.counts.count(TaskState::Failed));
    write_stuck_tasks(paper, &status.stuck);
    if status.critical_path.len() > 1 {
        write_section(paper, "Longest chain");
        let chain = crate::table::truncate_to_width(&status.critical_path.join(" → "), paper.width());
        paper.write_line(chain);
    }
}

/// Writes the run and its progress.
pub(super) fn write_progress(paper: &mut TextPage, status: &StatusResponse) {
    let run = &status.run;
    write_run_header(paper, &run.id, &run.title, (run.state, run.outcome), run.pause.as_ref());
    write_landing(paper, run.landed.as_ref());
    if status.progress.total > 0 {
        let eta = status.eta_ms.map(|eta| format!(", {}", remaining_time(TimeSpan(eta)))).unwrap_or_default();
        let bar = progress_bar(paper, status.progress);
        paper.write_line(format!("{bar}{eta}"));
        let counts = state::format_counts(paper, &status.counts);
        paper.write_line(counts);
    }
    if let Some(used) = usage_text(run.cost_usd, run.tokens.as_ref()) {
        paper.write_note(&used);
    }
}

/// Formats the estimated time left, in whole seconds at the finest.
fn remaining_time(eta: TimeSpan) -> String {
    if eta < TimeSpan::from_seconds(1) {
        return "about 1s left".to_owned();
    }
    format!("about {} left", fine_span(eta))
}

impl HumanReadable for OpenRunsResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.runs.is_empty() {
            paper.write_line("There is no run yet. Begin with one of these:");
        }
        write_run_table(paper, &self.runs);
        write_next_commands(paper, &self.next);
    }
}

impl HumanReadable for StatusOrRuns {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::Status(status) => status.render_human(paper),
            Self::Runs(runs) => runs.render_human(paper),
        }
    }
}

impl HumanReadable for BriefOrRuns {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::Brief(brief) => paper.write_line(super::brief::brief_text(brief).trim_end()),
            Self::Runs(runs) => runs.render_human(paper),
        }
    }
}

impl HumanReadable for StatusResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_overview(paper, self);
        write_next_commands(paper, &self.next);
    }
}

/// Writes the next commands, where there are any.
pub(super) fn write_next_commands(paper: &mut TextPage, next: &[String]) {
    if !next.is_empty() {
        write_section(paper, "Next");
        for command in next {
            paper.write_line(format!("  {}", escape_controls(command)));
        }
    }
}

fn write_section(paper: &mut TextPage, heading: &str) {
    paper.write_gap();
    paper.write_heading(heading);
}

fn write_more(paper: &mut TextPage, shown: usize, total: i64) {
    let rest = total - i64::try_from(shown).unwrap_or(i64::MAX);
    if rest > 0 {
        paper.write_note(&format!("… and {rest} more."));
    }
}

/// Writes the tasks that can be dispatched, and how many ready tasks are in their retry delay.
fn write_ready(paper: &mut TextPage, status: &StatusResponse) {
    let delayed = status.delayed_count();
    if status.ready.is_empty() && delayed == 0 {
        return;
    }
    write_section(paper, "Ready");
    if !status.ready.is_empty() {
        write_task_table(paper, status.ready.iter().map(TaskLine::from));
    }
    if delayed > 0 {
        write_delayed_count(paper, delayed);
    } else {
        write_more(paper, status.ready.len(), status.counts.count(TaskState::Ready));
    }
}

/// Writes how many tasks are in their retry delay, if any.
pub(super) fn write_delayed_note(paper: &mut TextPage, status: &StatusResponse) {
    let delayed = status.delayed_count();
    if delayed > 0 {
        paper.write_gap();
        write_delayed_count(paper, delayed);
    }
}

fn write_delayed_count(paper: &mut TextPage, delayed: i64) {
    let they = if delayed == 1 { "waits" } else { "wait" };
    paper.write_note(&format!(
        "{} that failed {they} for the next try.",
        counted_noun(delayed, "task", "tasks")
    ));
}

fn write_active(paper: &mut TextPage, list: &[ActiveTask]) {
    if list.is_empty() {
        return;
    }
    write_section(paper, "Under way");
    let mut table =
        TextTable::new(&["TASK", "STATE", "AGENT", "SINCE", "LEASE", "PROGRESS"]).with_elastic_column(5);
    for one in list {
        let percent = one.percent.map(|percent| format!("{percent}% ")).unwrap_or_default();
        table.push_row(vec![
            TableCell::new(&one.task.key, TextTone::Strong),
            state::state_cell(one.task.state.0),
            TableCell::plain(one.task.agent.as_deref().unwrap_or("-")),
            TableCell::plain(paper.relative_time(one.since)),
            one.lease_expires_at.map_or_else(TableCell::default, |at| {
                let tone = if at.0 <= paper.now() { TextTone::Attention } else { TextTone::Faint };
                TableCell::new(paper.relative_time(at), tone)
            }),
            TableCell::plain(format!("{percent}{}", one.progress.as_deref().unwrap_or_default())),
        ]);
    }
    paper.write_table(&table);
}

pub(super) fn write_clashes(paper: &mut TextPage, list: &[ClashView]) {
    if list.is_empty() {
        return;
    }
    write_section(paper, "Clashes");
    for clash in list {
        let files: Vec<&str> = clash.files.iter().map(String::as_str).collect();
        let line =
            format!("{} do not merge: {}", clash.attempts.join(" and "), escape_controls(&files.join(", ")));
        paper.write_line(paper.painter().paint_text(TextTone::Attention, &line));
    }
}

pub(super) fn write_failed(paper: &mut TextPage, list: &[FailedTask], total: i64) {
    if list.is_empty() {
        return;
    }
    write_section(paper, "Failed");
    for one in list {
        let paint = paper.painter();
        let key = paint.paint_text(
            TextTone::Bad,
            &format!("{} {}", state::state_glyph(TaskState::Failed), one.task.key),
        );
        let reason = one.reason.as_deref().unwrap_or("no reason given");
        let line = reason.lines().next().unwrap_or_default();
        paper.write_line(format!("{key}  {}: {}", escape_controls(&one.task.title), escape_controls(line)));
    }
    write_more(paper, list.len(), total);
}
