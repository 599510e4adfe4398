//! Text for a supervisor's events and for the list of workers.

use orch_contract::orch::doctor::{DoctorResponse, FindingLevelView};
use orch_contract::orch::drive::{
    DetachedSupervisor, DriveEnd, DriveLine, PsResponse, StopResponse, WorkerView,
};

use super::{counted_noun, events, store};
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

impl HumanReadable for DriveLine {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::Happened { event } => events::write_events(paper, std::slice::from_ref(event)),
            Self::Note { note } => {
                let mark = paper.painter().paint_text(TextTone::Attention, "!");
                paper.write_line(format!("{mark} {}", escape_controls(note)));
            }
            Self::End(end) => write_drive_end(paper, end),
            Self::Detached(detached) => write_detached(paper, detached),
            Self::Checked(answer) => write_checks(paper, answer),
        }
    }
}

fn write_checks(paper: &mut TextPage, answer: &DoctorResponse) {
    store::write_findings(paper, &answer.findings);
    paper.write_gap();
    paper.write_line(match answer.verdict {
        FindingLevelView::Ok => "Everything is there.",
        FindingLevelView::Warning => "Everything is there; see the warnings.",
        FindingLevelView::Error => "Not everything is there that is needed.",
    });
}

fn write_drive_end(paper: &mut TextPage, end: &DriveEnd) {
    for run in &end.runs {
        let mark = paper.painter().paint_text(TextTone::Good, "✓");
        let done = counted_noun(run.progress.done, "task", "tasks");
        paper.write_line(format!("{mark} {}  {done} done.", run.id));
    }
    for next in &end.next {
        paper.write_note(&format!("  {next}"));
    }
}

fn write_detached(paper: &mut TextPage, detached: &DetachedSupervisor) {
    paper.write_line(format!(
        "Driving in the background as process {}; it prints to {}.",
        detached.pid, detached.log
    ));
    for next in &detached.next {
        paper.write_note(&format!("  {next}"));
    }
}

impl HumanReadable for PsResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.workers.is_empty() && self.supervisors.is_empty() {
            paper.write_line("No workers are running.");
        }
        write_workers(paper, &self.workers);
        for one in &self.supervisors {
            let run = one.run.as_deref().unwrap_or("all runs");
            let pid = one.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
            let state = if one.alive == Some(false) { "gone" } else { "drives" };
            paper.write_line(format!(
                "Supervisor {pid} {state} {run}, since {}.",
                paper.relative_time(one.started_at)
            ));
        }
    }
}

fn write_workers(paper: &mut TextPage, list: &[WorkerView]) {
    if list.is_empty() {
        return;
    }
    paper.write_gap();
    paper.write_heading("Workers");
    let mut table =
        TextTable::new(&["WORK", "PROFILE", "PID", "SINCE", "LAST SIGN", "AT"]).with_elastic_column(5);
    for one in list {
        let sign = one.output_at.max(one.commit_at).unwrap_or(one.started_at);
        let tone = if one.silent || one.alive == Some(false) { TextTone::Attention } else { TextTone::Plain };
        table.push_row(vec![
            TableCell::new(one.attempt.as_deref().unwrap_or(&one.thread), TextTone::Strong),
            TableCell::plain(one.profile.as_deref().unwrap_or(&one.agent)),
            TableCell::plain(one.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
            TableCell::plain(paper.relative_time(one.started_at)),
            TableCell::new(paper.relative_time(sign), tone),
            TableCell::plain(escape_controls(one.activity.as_deref().unwrap_or(""))),
        ]);
    }
    paper.write_table(&table);
}

impl HumanReadable for StopResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let workers = counted_noun(self.workers, "worker", "workers");
        let supervisors = counted_noun(self.supervisors, "supervisor", "supervisors");
        paper.write_line(format!("Ended {workers} and {supervisors}."));
        for run in &self.paused {
            paper.write_line(format!("The run {run} is paused."));
            paper.write_note(&format!("  orch run resume {run}"));
        }
        for thread in &self.left {
            let mark = paper.painter().paint_text(TextTone::Bad, "still there:");
            paper.write_line(format!("{mark} {thread}"));
        }
    }
}
