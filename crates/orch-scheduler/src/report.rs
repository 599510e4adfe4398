//! `orch report`: what became of a run, from its tasks and its history.

use std::collections::BTreeMap;

use orch_core::attempt::AttemptState;
use orch_core::event::{Event, EventKind};
use orch_core::id::{AttemptName, EventId, RunId, Slug, ThreadId};
use orch_core::run::Run;
use orch_core::task::TaskState;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::{event, worktree};
use serde_json::Value;

use super::outcome::{self, Shown, TaskOutcome};
use super::stage::read_fresh;
use super::{scope, work_message};
use orch_inbox::{Error, Session};

/// How many events are read at once.
const PAGE: u32 = 1_000;

/// What became of a run. Lists are in the order in which things happened, and have at most 100 entries.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub run: Run,
    /// Where it landed.
    pub landings: Shown<Landing>,
    /// Whether its branch has something that has not landed yet.
    pub has_unlanded: bool,
    /// Tasks that are done.
    pub done: Shown<TaskOutcome>,
    /// Tasks that are not, each with why its last attempt ended.
    pub left: Shown<(TaskOutcome, Option<String>)>,
    /// Done tasks that nothing has judged.
    pub unchecked: Shown<TaskOutcome>,
    /// Attempts that the lead accepted by hand.
    pub overridden: Shown<Told>,
    /// Attempts that came to nothing.
    pub refused: Shown<Told>,
    /// What workers asked.
    pub questions: Shown<Asked>,
    /// What the tool itself could not do.
    pub faults: Shown<Told>,
    /// How many worktrees are there.
    pub worktrees: usize,
}

/// The run on another branch.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The branch.
    pub onto: String,
    /// Where it was then.
    pub commit: String,
    /// Who wanted it.
    pub by: Option<Slug>,
    /// When.
    pub at: Time,
}

/// Something that happened to an attempt, with the reason that was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What.
    pub kind: EventKind,
    /// Which attempt, or the task or run that it was about.
    pub about: String,
    /// Who caused it.
    pub by: Option<Slug>,
    /// Why.
    pub reason: Option<String>,
}

/// A question and what was answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which attempt.
    pub attempt: Option<AttemptName>,
    /// Who asks.
    pub by: Option<Slug>,
    /// The question.
    pub question: String,
    /// The answer, and who gave it.
    pub answer: Option<(Option<Slug>, String)>,
    /// Whether it still waits for an answer.
    pub is_open: bool,
}

/// Tells what became of a run.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn report(session: &mut Session, run: Option<&Slug>) -> Result<Report, Error> {
    read_fresh(session, |tx, _| {
        let run = scope::one_run(tx, run)?;
        let history = History::of(tx, run.id)?;
        let tasks = Tasks::of(tx, run.id)?;
        Ok(Report {
            landings: history.landings,
            has_unlanded: history.merged_since_landing > 0,
            overridden: history.overridden,
            refused: history.refused,
            questions: history.questions,
            faults: history.faults,
            done: tasks.done,
            left: tasks.left,
            unchecked: tasks.unchecked,
            worktrees: worktree::there(tx, run.id)?.len(),
            run,
        })
    })
}

/// What the tasks of a run came to.
#[derive(Default)]
struct Tasks {
    done: Shown<TaskOutcome>,
    left: Shown<(TaskOutcome, Option<String>)>,
    unchecked: Shown<TaskOutcome>,
}

impl Tasks {
    fn of(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut tasks = Self::default();
        outcome::each(tx, run, |outcome| {
            if outcome.task.state != TaskState::Done {
                tasks.left.push((outcome, None));
                return;
            }
            if outcome.is_unchecked() {
                tasks.unchecked.push(outcome.clone());
            }
            tasks.done.push(outcome);
        })?;
        for (outcome, reason) in &mut tasks.left.first {
            if let Some(attempt) =
                outcome.attempt.as_ref().filter(|attempt| has_come_to_nothing(attempt.state))
            {
                *reason = work_message::reason_of(tx, attempt)?;
            }
        }
        Ok(tasks)
    }
}

fn has_come_to_nothing(state: AttemptState) -> bool {
    !state.live() && state != AttemptState::Accepted
}

/// What the events of a run tell.
#[derive(Default)]
struct History {
    landings: Shown<Landing>,
    merged_since_landing: u64,
    overridden: Shown<Told>,
    refused: Shown<Told>,
    questions: Shown<Asked>,
    faults: Shown<Told>,
    /// Where the open question of a thread is in the list; `None` where the list is too long for it.
    open: BTreeMap<ThreadId, Option<usize>>,
}

impl History {
    fn of(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut history = Self::default();
        let mut after = EventId(0);
        loop {
            let events = event::of_run(tx, run, after, PAGE)?;
            let Some(last) = events.last() else { return Ok(history) };
            after = last.id;
            for event in events {
                history.take(event);
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event.kind {
            EventKind::Landed => self.land(&event),
            EventKind::Integrated => self.merged_since_landing += 1,
            EventKind::Accepted => self.overridden.push(told(&event)),
            EventKind::Rejected | EventKind::Failed | EventKind::Lost | EventKind::Recalled => {
                self.refused.push(told(&event));
            }
            EventKind::Fault | EventKind::RunPaused => {
                // A pause that the lead asked for has no reason, and is nobody's fault.
                let told = told(&event);
                if told.reason.is_some() {
                    self.faults.push(told);
                }
            }
            EventKind::Question => self.ask(event),
            EventKind::Answered => self.answer(&event),
            EventKind::Released
            | EventKind::ThreadDone
            | EventKind::ThreadFailed
            | EventKind::ThreadCancelled => self.withdraw(&event),
            _ => {}
        }
    }

    fn land(&mut self, event: &Event) {
        let data = data(event);
        self.merged_since_landing = 0;
        self.landings.push(Landing {
            onto: text(&data, "onto").unwrap_or_default(),
            commit: text(&data, "commit").unwrap_or_default(),
            by: event.agent.clone(),
            at: event.at,
        });
    }

    fn ask(&mut self, event: Event) {
        let question = text(&data(&event), "question").unwrap_or_default();
        let place = self.questions.first.len();
        let (attempt, by) = (event.attempt, event.agent);
        self.questions.push(Asked { attempt, by, question, answer: None, is_open: true });
        if let Some(thread) = event.thread {
            self.open.insert(thread, (self.questions.first.len() > place).then_some(place));
        }
    }

    fn answer(&mut self, event: &Event) {
        if let Some(asked) = self.close(event) {
            asked.answer = Some((event.agent.clone(), text(&data(event), "answer").unwrap_or_default()));
        }
    }

    fn withdraw(&mut self, event: &Event) {
        self.close(event);
    }

    /// The question of a thread that is open no more.
    fn close(&mut self, event: &Event) -> Option<&mut Asked> {
        let place = self.open.remove(&event.thread?)??;
        let asked = self.questions.first.get_mut(place)?;
        asked.is_open = false;
        Some(asked)
    }
}

fn told(event: &Event) -> Told {
    let about = match (&event.attempt, &event.task, &event.run) {
        (Some(attempt), _, _) => attempt.to_string(),
        (None, Some(task), _) => task.to_string(),
        (None, None, Some(run)) => run.to_string(),
        (None, None, None) => String::new(),
    };
    let reason = text(&data(event), "reason").filter(|reason| !reason.is_empty());
    Told { kind: event.kind, about, by: event.agent.clone(), reason }
}

fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

fn text(data: &Value, name: &str) -> Option<String> {
    data[name].as_str().map(str::to_owned)
}
