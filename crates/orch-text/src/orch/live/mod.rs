//! The live view of a supervisor: workers, questions and recent events. It must fit a small terminal, so it
//! shows
//! less than `orch status`.

use orch_contract::EventView;
use orch_contract::orch::drive::{DriveView, WorkerView};
use orch_contract::orch::status::ActiveTask;
use orch_core::event::EventKind;
use orch_core::run::DoneWhen;
use orch_core::task::{ChecksStatus, TaskState};
use unicode_width::UnicodeWidthStr as _;

use super::blocked::write_stuck_tasks;
use super::{state, status};
use crate::table::truncate_to_width;
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

impl HumanReadable for DriveView {
    fn render_human(&self, paper: &mut TextPage) {
        status::write_progress(paper, &self.status);
        if let Some(note) = &self.note {
            write_notice(paper, note);
        }
        write_questions(paper, self);
        write_active(paper, self);
        status::write_clashes(paper, &self.status.clashes);
        write_recent_events(paper, "LATELY", &self.lately);
        status::write_failed(paper, &self.status.failed, self.status.counts.count(TaskState::Failed));
        write_stuck_tasks(paper, &self.status.stuck);
        status::write_delayed_note(paper, &self.status);
    }
}

/// Writes a warning on as many lines as it needs, because the remedy is often at its end.
fn write_notice(paper: &mut TextPage, note: &str) {
    paper.write_gap();
    let mark = paper.painter().paint_text(TextTone::Attention, "!");
    let room = paper.width().saturating_sub(2);
    let (mut line, mut first) = (String::new(), true);
    let mut put = |line: &str| {
        paper.write_line(format!("{} {line}", if first { mark.as_str() } else { " " }));
        first = false;
    };
    for word in escape_controls(note).split(' ') {
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

/// Writes each worker with its activity, age and last sign of life, and what is being checked and merged.
fn write_active(paper: &mut TextPage, view: &DriveView) {
    // As wide as the usual contents, so that columns do not jump.
    let mut table = TextTable::new(&["UNDER WAY ", "STATE     ", "WORKER ", "SINCE   ", "LAST SIGN", "SAYS"])
        .with_elastic_column(SAYS);
    let worker_of = |one: &ActiveTask| view.workers.iter().find(|worker| worker.attempt == one.task.attempt);
    for one in &view.status.active {
        table.push_row(active_row(paper, view, one, worker_of(one)));
    }
    let known =
        |worker: &&WorkerView| view.status.active.iter().any(|one| one.task.attempt == worker.attempt);
    for worker in view.workers.iter().filter(|worker| !known(worker)) {
        // The attempt has reported; its process takes a moment to exit.
        let mut cells = vec![
            TableCell::new(short_name(worker.attempt.as_deref().unwrap_or(&worker.thread)), TextTone::Faint),
            TableCell::new("ending", TextTone::Faint),
        ];
        cells.extend(worker_cells(paper, worker));
        table.push_row(cells);
    }
    if !table.is_empty() {
        paper.write_gap();
        paper.write_table(&table);
    }
}

/// The elastic column.
const SAYS: usize = 5;

fn active_row(
    paper: &TextPage,
    view: &DriveView,
    one: &ActiveTask,
    worker: Option<&WorkerView>,
) -> Vec<TableCell> {
    let attempt = one.task.attempt.as_deref().unwrap_or(&one.task.id);
    let mut cells = vec![TableCell::new(short_name(attempt), TextTone::Strong), progress_cell(view, one)];
    match worker {
        Some(worker) => cells.extend(worker_cells(paper, worker)),
        None => cells.extend([
            TableCell::plain(one.task.agent.as_deref().unwrap_or("-")),
            TableCell::plain(paper.relative_time(one.since)),
            TableCell::default(),
            TableCell::default(),
        ]),
    }
    let question = view.status.questions.iter().find(|question| question.task == one.task.id);
    let progress = one.progress.as_ref().map(|text| match one.percent {
        Some(percent) => format!("{percent}% {text}"),
        None => text.clone(),
    });
    if let Some(said) = question.map(|question| question.question.clone()).or(progress) {
        cells[SAYS] = TableCell::plain(first_line(&said));
    }
    cells
}

/// Formats a worker: name, age, last sign of life, and activity.
fn worker_cells(paper: &TextPage, worker: &WorkerView) -> [TableCell; 4] {
    let sign = worker.output_at.max(worker.commit_at).unwrap_or(worker.started_at);
    let (sign, tone) = match worker.alive {
        Some(false) => ("gone".to_owned(), TextTone::Bad),
        _ if worker.silent => (format!("silent, {}", paper.relative_time(sign)), TextTone::Attention),
        Some(true) | None => (paper.relative_time(sign), TextTone::Plain),
    };
    [
        TableCell::plain(worker.profile.as_deref().unwrap_or(&worker.agent)),
        TableCell::plain(paper.relative_time(worker.started_at)),
        TableCell::new(sign, tone),
        TableCell::plain(first_line(worker.activity.as_deref().unwrap_or_default())),
    ]
}

/// Formats the progress of an attempt; for a report under judgement, the running check.
fn progress_cell(view: &DriveView, one: &ActiveTask) -> TableCell {
    let state = one.task.state.0;
    let merges = view.status.run.done_when.0 == DoneWhen::Integrated;
    let word = match state {
        TaskState::Dispatched => "sent",
        TaskState::Blocked => "asks",
        TaskState::Reported => match one.task.checks.0 {
            ChecksStatus::Pending => "checking",
            ChecksStatus::None | ChecksStatus::Passed | ChecksStatus::Overridden if merges => "merging",
            ChecksStatus::None | ChecksStatus::Passed | ChecksStatus::Overridden | ChecksStatus::Failed => {
                state.name()
            }
        },
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Running
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Skipped
        | TaskState::Cancelled => state.name(),
    };
    TableCell::new(format!("{} {word}", state::state_glyph(state)), state::state_tone(state))
}

/// Writes the open questions, each with the command that answers it.
fn write_questions(paper: &mut TextPage, view: &DriveView) {
    if view.status.questions.is_empty() {
        return;
    }
    paper.write_gap();
    paper.write_heading("Questions");
    for one in &view.status.questions {
        let options = match one.options.as_slice() {
            [] => String::new(),
            some => format!(" ({})", some.join(", ")),
        };
        let room = paper.width().saturating_sub(2);
        let asked =
            truncate_to_width(&escape_controls(&format!("{}{options}", first_line(&one.question))), room);
        paper.write_line(format!("{} {asked}", paper.painter().paint_text(TextTone::Attention, "?")));
        paper.write_note(&format!("  orch answer {} TEXT", one.task));
    }
}

/// Writes recent events, oldest first.
pub(super) fn write_recent_events(paper: &mut TextPage, heading: &'static str, events: &[EventView]) {
    if events.is_empty() {
        return;
    }
    let mut table = TextTable::new(&[heading, "", ""]).with_elastic_column(2);
    for event in events {
        let Some((mark, tone, said)) = event_note(event) else { continue };
        let about = event.attempt.as_deref().or(event.task.as_deref());
        table.push_row(vec![
            TableCell::new(format!("{mark} {}", about.map_or("the run", short_name)), tone),
            TableCell::new(paper.relative_time(event.at), TextTone::Faint),
            TableCell::plain(first_line(&said)),
        ]);
    }
    paper.write_gap();
    paper.write_table(&table);
}

/// Returns how the live view shows an event, and the data field with its details; `None` for intermediate
/// steps.
const TOLD: [(EventKind, &str, TextTone, &str, &str); 14] = [
    (EventKind::Question, "?", TextTone::Attention, "asks", "question"),
    (EventKind::Answered, "→", TextTone::Plain, "is answered", "answer"),
    (EventKind::Rejected, "✗", TextTone::Bad, "rejected", "reason"),
    (EventKind::Failed, "✗", TextTone::Bad, "failed", "reason"),
    (EventKind::Lost, "✗", TextTone::Bad, "lost", "reason"),
    (EventKind::Late, "!", TextTone::Attention, "reported too late, which changes nothing", ""),
    (EventKind::Fault, "!", TextTone::Attention, "something was in the way", "reason"),
    (EventKind::RateLimited, "!", TextTone::Attention, "its profile's provider refused it", "reason"),
    (EventKind::Available, "→", TextTone::Plain, "workers are started again", "profile"),
    (EventKind::Silent, "!", TextTone::Attention, "prints nothing", ""),
    (EventKind::BranchAdvanced, "!", TextTone::Attention, "others advanced the run's branch", "to"),
    (EventKind::BranchMoved, "!", TextTone::Attention, "others moved the run's branch", "message"),
    (EventKind::RunPaused, "!", TextTone::Attention, "paused", "reason"),
    (EventKind::Done, "✓", TextTone::Good, "done", ""),
];

/// Returns the mark, tone and words of an event that the live view shows.
fn event_note(event: &EventView) -> Option<(&'static str, TextTone, String)> {
    let (_, mark, tone, what, field) = TOLD.iter().find(|(kind, ..)| *kind == event.kind.0)?;
    let more = event.data.get(*field).and_then(serde_json::Value::as_str);
    let said = more.map_or_else(|| (*what).to_owned(), |more| format!("{what}: {more}"));
    Some((mark, *tone, said))
}

/// Whether the live view shows an event.
pub fn is_event_shown(event: &EventView) -> bool {
    TOLD.iter().any(|(kind, ..)| *kind == event.kind.0)
}

/// Returns a name without its run.
fn short_name(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

/// Returns the first line of a text, with an ellipsis if there are more.
fn first_line(text: &str) -> String {
    match text.trim().split_once('\n') {
        Some((first, _)) => format!("{} …", first.trim_end()),
        None => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
