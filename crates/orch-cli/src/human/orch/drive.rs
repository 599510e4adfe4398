//! What a supervisor shows, and the processes that work, for people.

use orch_contract::orch::doctor::{DoctorAnswer, Level};
use orch_contract::orch::drive::{Detached, DriveEnd, DriveLine, PsAnswer, StopAnswer, Worker};

use super::{counted, events, store};
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

impl Human for DriveLine {
    fn human(&self, paper: &mut Paper) {
        match self {
            Self::Happened { event } => events::lines(paper, std::slice::from_ref(event)),
            Self::Note { note } => {
                let mark = paper.paint().text(Tone::Attention, "!");
                paper.line(format!("{mark} {}", harmless(note)));
            }
            Self::End(end) => ended(paper, end),
            Self::Detached(detached) => background(paper, detached),
            Self::Checked(answer) => checked(paper, answer),
        }
    }
}

fn checked(paper: &mut Paper, answer: &DoctorAnswer) {
    store::findings(paper, &answer.findings);
    paper.gap();
    paper.line(match answer.verdict {
        Level::Ok => "Everything is there.",
        Level::Warning => "Everything is there; see the warnings.",
        Level::Error => "Not everything is there that is needed.",
    });
}

fn ended(paper: &mut Paper, end: &DriveEnd) {
    for run in &end.runs {
        let mark = paper.paint().text(Tone::Good, "✓");
        let done = counted(run.progress.done, "task", "tasks");
        paper.line(format!("{mark} {}  {done} done.", run.id));
    }
    for next in &end.next {
        paper.note(&format!("  {next}"));
    }
}

fn background(paper: &mut Paper, detached: &Detached) {
    paper.line(format!(
        "Driving in the background as process {}; it prints to {}.",
        detached.pid, detached.log
    ));
    for next in &detached.next {
        paper.note(&format!("  {next}"));
    }
}

impl Human for PsAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.workers.is_empty() && self.supervisors.is_empty() {
            paper.line("Nothing runs.");
        }
        workers(paper, &self.workers);
        for one in &self.supervisors {
            let run = one.run.as_deref().unwrap_or("all runs");
            let pid = one.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
            let state = if one.alive == Some(false) { "gone" } else { "drives" };
            paper.line(format!("Supervisor {pid} {state} {run}, since {}.", paper.ago(one.started_at)));
        }
    }
}

fn workers(paper: &mut Paper, list: &[Worker]) {
    if list.is_empty() {
        return;
    }
    paper.gap();
    paper.heading("Workers");
    let mut table = Table::new(&["WORK", "PROFILE", "PID", "SINCE", "LAST SIGN", "AT"]).elastic(5);
    for one in list {
        let sign = one.output_at.max(one.commit_at).unwrap_or(one.started_at);
        let tone = if one.silent || one.alive == Some(false) { Tone::Attention } else { Tone::Plain };
        table.row(vec![
            Cell::new(one.attempt.as_deref().unwrap_or(&one.thread), Tone::Strong),
            Cell::plain(one.profile.as_deref().unwrap_or(&one.agent)),
            Cell::plain(one.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
            Cell::plain(paper.ago(one.started_at)),
            Cell::new(paper.ago(sign), tone),
            Cell::plain(harmless(one.activity.as_deref().unwrap_or(""))),
        ]);
    }
    paper.table(&table);
}

impl Human for StopAnswer {
    fn human(&self, paper: &mut Paper) {
        let workers = counted(self.workers, "worker", "workers");
        let supervisors = counted(self.supervisors, "supervisor", "supervisors");
        paper.line(format!("Ended {workers} and {supervisors}."));
        for run in &self.paused {
            paper.line(format!("The run {run} is paused."));
            paper.note(&format!("  orch run resume {run}"));
        }
        for thread in &self.left {
            let mark = paper.paint().text(Tone::Bad, "still there:");
            paper.line(format!("{mark} {thread}"));
        }
    }
}
