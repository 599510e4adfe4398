//! A run at a glance: how far it is, who works, who asks, what to type next.

use orch_contract::orch::status::{Active, Clash, Failed, StatusAnswer};
use orch_core::limit;
use orch_core::run::{DoneWhen, RunStatus};
use orch_core::shell;
use orch_core::task::TaskState;
use orch_core::time::Span;

use super::blocked::question;
use super::counted;
use super::run::{bar, head};
use super::state;
use super::task::{Line, table};
use crate::human::time::fine;
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

/// Writes how it is, without what to type next.
pub(super) fn glance(paper: &mut Paper, status: &StatusAnswer) {
    progress(paper, status);
    active(paper, &status.active);
    if !status.questions.is_empty() {
        section(paper, "Questions");
        for one in &status.questions {
            question(paper, one);
        }
    }
    clashes(paper, &status.clashes);
    ready(paper, status);
    failed(paper, &status.failed, status.counts.count(TaskState::Failed));
    if status.critical_path.len() > 1 {
        section(paper, "Longest chain");
        let chain = crate::human::table::cut(&status.critical_path.join(" → "), paper.width());
        paper.line(chain);
    }
}

/// Writes what the run is and how far.
pub(super) fn progress(paper: &mut Paper, status: &StatusAnswer) {
    let run = &status.run;
    head(paper, &run.id, &run.title, (run.state, run.outcome), run.pause.as_ref());
    if status.progress.total > 0 {
        let eta = status.eta_ms.map(|eta| format!(", {}", left(Span(eta)))).unwrap_or_default();
        let bar = bar(paper, status.progress);
        paper.line(format!("{bar}{eta}"));
        let counts = state::counts(paper, &status.counts);
        paper.line(counts);
    }
}

/// How long the rest will take; nobody measures that in less than seconds.
fn left(eta: Span) -> String {
    if eta < Span::seconds(1) {
        return "about a second left".to_owned();
    }
    format!("about {} left", fine(eta))
}

impl Human for StatusAnswer {
    fn human(&self, paper: &mut Paper) {
        glance(paper, self);
        let next = next(self);
        if !next.is_empty() {
            section(paper, "Next");
            for command in next {
                paper.line(format!("  {command}"));
            }
        }
    }
}

fn section(paper: &mut Paper, heading: &str) {
    paper.gap();
    paper.heading(heading);
}

fn more(paper: &mut Paper, shown: usize, total: i64) {
    let rest = total - i64::try_from(shown).unwrap_or(i64::MAX);
    if rest > 0 {
        paper.note(&format!("… and {rest} more."));
    }
}

/// What can be dispatched, and how many ready tasks still wait for their next try.
fn ready(paper: &mut Paper, status: &StatusAnswer) {
    let delayed = delayed(status);
    if status.ready.is_empty() && delayed == 0 {
        return;
    }
    section(paper, "Ready");
    if !status.ready.is_empty() {
        table(paper, status.ready.iter().map(Line::from));
    }
    if delayed > 0 {
        said_delayed(paper, delayed);
    } else {
        more(paper, status.ready.len(), status.counts.count(TaskState::Ready));
    }
}

/// Writes how many tasks wait for their next try, where there are any.
pub(super) fn delayed_note(paper: &mut Paper, status: &StatusAnswer) {
    let delayed = delayed(status);
    if delayed > 0 {
        paper.gap();
        said_delayed(paper, delayed);
    }
}

fn said_delayed(paper: &mut Paper, delayed: i64) {
    let they = if delayed == 1 { "waits" } else { "wait" };
    paper.note(&format!("{} that failed {they} for the next try.", counted(delayed, "task", "tasks")));
}

/// How many ready tasks cannot be dispatched yet; unknown, so none, where the list is cut or the run is paused.
fn delayed(status: &StatusAnswer) -> i64 {
    let shown = i64::try_from(status.ready.len()).unwrap_or(i64::MAX);
    let whole = shown < i64::from(limit::STATUS_SHOWN) && status.run.state.0 == RunStatus::Open;
    if whole { status.counts.count(TaskState::Ready) - shown } else { 0 }
}

fn active(paper: &mut Paper, list: &[Active]) {
    if list.is_empty() {
        return;
    }
    section(paper, "Under way");
    let mut table = Table::new(&["TASK", "STATE", "AGENT", "SINCE", "LEASE", "PROGRESS"]).elastic(5);
    for one in list {
        let percent = one.percent.map(|percent| format!("{percent}% ")).unwrap_or_default();
        table.row(vec![
            Cell::new(&one.task.key, Tone::Strong),
            state::cell(one.task.state.0),
            Cell::plain(one.task.agent.as_deref().unwrap_or("-")),
            Cell::plain(paper.ago(one.since)),
            one.lease_expires_at.map_or_else(Cell::default, |at| {
                let tone = if at.0 <= paper.now() { Tone::Attention } else { Tone::Faint };
                Cell::new(paper.ago(at), tone)
            }),
            Cell::plain(format!("{percent}{}", one.progress.as_deref().unwrap_or_default())),
        ]);
    }
    paper.table(&table);
}

pub(super) fn clashes(paper: &mut Paper, list: &[Clash]) {
    if list.is_empty() {
        return;
    }
    section(paper, "Clashes");
    for clash in list {
        let files: Vec<&str> = clash.files.iter().map(String::as_str).collect();
        let line = format!("{} do not merge: {}", clash.attempts.join(" and "), harmless(&files.join(", ")));
        paper.line(paper.paint().text(Tone::Attention, &line));
    }
}

pub(super) fn failed(paper: &mut Paper, list: &[Failed], total: i64) {
    if list.is_empty() {
        return;
    }
    section(paper, "Failed");
    for one in list {
        let paint = paper.paint();
        let key = paint.text(Tone::Bad, &format!("{} {}", state::glyph(TaskState::Failed), one.task.key));
        let reason = one.reason.as_deref().unwrap_or("no reason given");
        let line = reason.lines().next().unwrap_or_default();
        paper.line(format!("{key}  {}: {}", harmless(&one.task.title), harmless(line)));
    }
    more(paper, list.len(), total);
}

/// The literal next commands, the most useful first.
fn next(status: &StatusAnswer) -> Vec<String> {
    let run = &status.run.id;
    let mut commands = Vec::new();
    if status.run.state.0 == RunStatus::Paused {
        commands.push(format!("orch run resume {run}"));
    }
    if let Some(question) = status.questions.first() {
        commands.push(format!("orch answer {} TEXT", question.task));
    }
    if status.run.state.0 == RunStatus::Open && !status.ready.is_empty() {
        let named = status.ready.iter().all(|task| task.agent.is_some());
        let to = if named { "" } else { " --to AGENT" };
        commands.push(format!("orch dispatch --all{to} --run {run}"));
    }
    if status.ready.is_empty() && status.active.is_empty() && delayed(status) > 0 {
        commands.push(format!("orch task list --state ready --full --run {run}"));
    }
    if let Some(failed) = status.failed.first() {
        commands.push(format!("orch task retry {}", failed.task.id));
    }
    if status.run.state.0.unfinished() && status.progress.total == 0 {
        commands.push(format!("orch task add TITLE --run {run}"));
    }
    if !status.active.is_empty() {
        commands.push(format!("orch wait --run {run}"));
    }
    if status.run.state.0 == RunStatus::Finished {
        let done = status.progress.done > 0 && status.run.done_when.0 == DoneWhen::Integrated;
        if let Some(branch) = status.run.base_branch.as_deref().filter(|_| done) {
            let partial = if status.progress.done < status.progress.total { " --partial" } else { "" };
            commands.push(format!("orch land {run} --onto {}{partial}", shell::quoted(branch)));
        }
        commands.push(format!("orch task list --run {run}"));
    }
    commands
}
