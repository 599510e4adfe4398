//! The live view of a supervisor: what moves, what asks, what happened lately. It has to fit a small terminal, so it
//! says less than a status.

use orch_contract::Event;
use orch_contract::orch::drive::{DriveView, Worker};
use orch_contract::orch::status::Active;
use orch_core::event::EventKind;
use orch_core::run::DoneWhen;
use orch_core::task::{Checks, TaskState};
use unicode_width::UnicodeWidthStr as _;

use super::{state, status};
use crate::human::table::cut;
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

impl Human for DriveView {
    fn human(&self, paper: &mut Paper) {
        status::progress(paper, &self.status);
        if let Some(note) = &self.note {
            said(paper, note);
        }
        questions(paper, self);
        under_way(paper, self);
        status::clashes(paper, &self.status.clashes);
        happened(paper, "LATELY", &self.lately);
        status::failed(paper, &self.status.failed, self.status.counts.count(TaskState::Failed));
        status::delayed_note(paper, &self.status);
    }
}

/// Writes what somebody should know, on as many lines as it needs: what to do about it often stands at its end.
fn said(paper: &mut Paper, note: &str) {
    paper.gap();
    let mark = paper.paint().text(Tone::Attention, "!");
    let room = paper.width().saturating_sub(2);
    let (mut line, mut first) = (String::new(), true);
    let mut put = |line: &str| {
        paper.line(format!("{} {line}", if first { mark.as_str() } else { " " }));
        first = false;
    };
    for word in harmless(note).split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            put(&line);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    put(&line);
}

/// Who does what, since when, and when they last gave a sign; and what is being checked and merged.
fn under_way(paper: &mut Paper, view: &DriveView) {
    // As wide as what usually stands below, so that columns stand still.
    let mut table =
        Table::new(&["UNDER WAY ", "STATE     ", "WORKER ", "SINCE   ", "LAST SIGN", "SAYS"]).elastic(SAYS);
    let worker_of = |one: &Active| view.workers.iter().find(|worker| worker.attempt == one.task.attempt);
    for one in &view.status.active {
        table.row(row(paper, view, one, worker_of(one)));
    }
    let known = |worker: &&Worker| view.status.active.iter().any(|one| one.task.attempt == worker.attempt);
    for worker in view.workers.iter().filter(|worker| !known(worker)) {
        // Its work is out of its hands, and it takes a moment to end.
        let mut cells = vec![
            Cell::new(short(worker.attempt.as_deref().unwrap_or(&worker.thread)), Tone::Faint),
            Cell::new("ending", Tone::Faint),
        ];
        cells.extend(signs(paper, worker));
        table.row(cells);
    }
    if !table.is_empty() {
        paper.gap();
        paper.table(&table);
    }
}

/// The column that gives way.
const SAYS: usize = 5;

fn row(paper: &Paper, view: &DriveView, one: &Active, worker: Option<&Worker>) -> Vec<Cell> {
    let attempt = one.task.attempt.as_deref().unwrap_or(&one.task.id);
    let mut cells = vec![Cell::new(short(attempt), Tone::Strong), stage(view, one)];
    match worker {
        Some(worker) => cells.extend(signs(paper, worker)),
        None => cells.extend([
            Cell::plain(one.task.agent.as_deref().unwrap_or("-")),
            Cell::plain(paper.ago(one.since)),
            Cell::default(),
            Cell::default(),
        ]),
    }
    let question = view.status.questions.iter().find(|question| question.task == one.task.id);
    let progress = one.progress.as_ref().map(|text| match one.percent {
        Some(percent) => format!("{percent}% {text}"),
        None => text.clone(),
    });
    if let Some(said) = question.map(|question| question.question.clone()).or(progress) {
        cells[SAYS] = Cell::plain(one_line(&said));
    }
    cells
}

/// Who it is, since when, the last sign of life, and what it says.
fn signs(paper: &Paper, worker: &Worker) -> [Cell; 4] {
    let sign = worker.output_at.max(worker.commit_at).unwrap_or(worker.started_at);
    let (sign, tone) = match worker.alive {
        Some(false) => ("gone".to_owned(), Tone::Bad),
        _ if worker.silent => (format!("silent, {}", paper.ago(sign)), Tone::Attention),
        Some(true) | None => (paper.ago(sign), Tone::Plain),
    };
    [
        Cell::plain(worker.profile.as_deref().unwrap_or(&worker.agent)),
        Cell::plain(paper.ago(worker.started_at)),
        Cell::new(sign, tone),
        Cell::plain(one_line(worker.activity.as_deref().unwrap_or_default())),
    ]
}

/// How far an attempt is; a report that is being judged says by what.
fn stage(view: &DriveView, one: &Active) -> Cell {
    let state = one.task.state.0;
    let merges = view.status.run.done_when.0 == DoneWhen::Integrated;
    let word = match state {
        TaskState::Dispatched => "sent",
        TaskState::Blocked => "asks",
        TaskState::Reported => match one.task.checks.0 {
            Checks::Pending => "checking",
            Checks::None | Checks::Passed | Checks::Overridden if merges => "merging",
            Checks::None | Checks::Passed | Checks::Overridden | Checks::Failed => state.name(),
        },
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Running
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Skipped
        | TaskState::Cancelled => state.name(),
    };
    Cell::new(format!("{} {word}", state::glyph(state)), state::tone(state))
}

/// What waits for the reader: the question and the command that answers it.
fn questions(paper: &mut Paper, view: &DriveView) {
    if view.status.questions.is_empty() {
        return;
    }
    paper.gap();
    paper.heading("Questions");
    for one in &view.status.questions {
        let options = match one.options.as_slice() {
            [] => String::new(),
            some => format!(" ({})", some.join(", ")),
        };
        let room = paper.width().saturating_sub(2);
        let asked = cut(&harmless(&format!("{}{options}", one_line(&one.question))), room);
        paper.line(format!("{} {asked}", paper.paint().text(Tone::Attention, "?")));
        paper.note(&format!("  orch answer {} TEXT", one.task));
    }
}

/// Writes what happened, oldest first.
pub(super) fn happened(paper: &mut Paper, heading: &'static str, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    let mut table = Table::new(&[heading, "", ""]).elastic(2);
    for event in events {
        let Some((mark, tone, said)) = told(event) else { continue };
        let about = event.attempt.as_deref().or(event.task.as_deref());
        table.row(vec![
            Cell::new(format!("{mark} {}", about.map_or("the run", short)), tone),
            Cell::new(paper.ago(event.at), Tone::Faint),
            Cell::plain(one_line(&said)),
        ]);
    }
    paper.gap();
    paper.table(&table);
}

/// What is told of an event to somebody who looks on, and the field that says more; the other kinds are steps among
/// others.
const TOLD: [(EventKind, &str, Tone, &str, &str); 9] = [
    (EventKind::Question, "?", Tone::Attention, "asks", "question"),
    (EventKind::Answered, "→", Tone::Plain, "is answered", "answer"),
    (EventKind::Rejected, "✗", Tone::Bad, "rejected", "reason"),
    (EventKind::Failed, "✗", Tone::Bad, "failed", "reason"),
    (EventKind::Lost, "✗", Tone::Bad, "lost", "reason"),
    (EventKind::Late, "!", Tone::Attention, "reported too late, which changes nothing", ""),
    (EventKind::Fault, "!", Tone::Attention, "something was in the way", "reason"),
    (EventKind::RunPaused, "!", Tone::Attention, "paused", "reason"),
    (EventKind::Done, "✓", Tone::Good, "done", ""),
];

/// Mark, tone and words of an event, where it is one to be told of.
fn told(event: &Event) -> Option<(&'static str, Tone, String)> {
    let (_, mark, tone, what, field) = TOLD.iter().find(|(kind, ..)| *kind == event.kind.0)?;
    let more = event.data.get(*field).and_then(serde_json::Value::as_str);
    let said = more.map_or_else(|| (*what).to_owned(), |more| format!("{what}: {more}"));
    Some((mark, *tone, said))
}

/// Whether a live view tells of an event.
pub(crate) fn is_told(event: &Event) -> bool {
    TOLD.iter().any(|(kind, ..)| *kind == event.kind.0)
}

/// A name without its run.
fn short(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

/// The first line of a text, with a sign where there are more.
fn one_line(text: &str) -> String {
    match text.trim().split_once('\n') {
        Some((first, _)) => format!("{} …", first.trim_end()),
        None => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
