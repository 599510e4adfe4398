//! `orch report`: the results of a run, from its tasks and its events.

use std::collections::BTreeMap;

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::event::{Event, EventKind};
use orch_core::id::{AttemptName, EventId, RunId, Slug, ThreadId};
use orch_core::run::{LandingManner, Run};
use orch_core::task::TaskState;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::usage::UsageSum;
use orch_store::table::{event, worktree};
use serde_json::Value;

use crate::status::load_profile_usage;
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;
use orch_workspace::task_outcome;
use orch_workspace::task_outcome::{BoundedList, TaskOutcome};
use orch_workspace::work_message;

/// The number of events per query.
const PAGE: u32 = 1_000;

/// The results of a run. Lists are in chronological order, and have at most 100 entries.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// The run.
    pub run: Run,
    /// Its landings.
    pub landings: BoundedList<LandingRecord>,
    /// Whether its branch has commits that have not landed.
    pub has_unlanded: bool,
    /// Tasks that are done.
    pub done: BoundedList<TaskOutcome>,
    /// Tasks that are not done, each with the reason why its last attempt ended.
    pub left: BoundedList<(TaskOutcome, Option<String>)>,
    /// Done tasks without a verdict.
    pub unchecked: BoundedList<TaskOutcome>,
    /// Attempts that the lead accepted by hand.
    pub overridden: BoundedList<NotableEvent>,
    /// Attempts that failed, were lost, recalled or rejected.
    pub refused: BoundedList<NotableEvent>,
    /// The questions of workers.
    pub questions: BoundedList<AskedQuestion>,
    /// The failures of the tool itself.
    pub faults: BoundedList<NotableEvent>,
    /// The commits of others on the run's branch.
    pub advances: BoundedList<BranchAdvance>,
    /// How many worktrees exist.
    pub worktrees: usize,
    /// What the workers of each profile used.
    pub profiles: Vec<(Option<Slug>, UsageSum)>,
}

/// A landing of the run on another branch.
#[derive(Clone, Debug)]
pub struct LandingRecord {
    /// The branch.
    pub onto: String,
    /// The commit of the branch after the landing.
    pub commit: String,
    /// How.
    pub manner: LandingManner,
    /// Why it landed although its checks or its files do not say that it may, if so.
    pub reason: Option<String>,
    /// The agent that requested it.
    pub by: Option<Slug>,
    /// When.
    pub at: Time,
}

/// Commits of others by which the run's branch advanced.
#[derive(Clone, Debug)]
pub struct BranchAdvance {
    /// The commit of the branch after them.
    pub to: String,
    /// How many commits.
    pub commits: u64,
    /// Their authors.
    pub authors: Vec<String>,
}

/// An event with its reason.
#[derive(Clone, Debug)]
pub struct NotableEvent {
    /// The kind of the event.
    pub kind: EventKind,
    /// The attempt, or else the task or the run.
    pub about: String,
    /// The agent that caused it.
    pub by: Option<Slug>,
    /// The reason.
    pub reason: Option<String>,
}

/// A question with its answer.
#[derive(Clone, Debug)]
pub struct AskedQuestion {
    /// The attempt.
    pub attempt: Option<AttemptName>,
    /// The agent that asked.
    pub by: Option<Slug>,
    /// The question.
    pub question: String,
    /// The answer, and the agent that gave it.
    pub answer: Option<(Option<Slug>, String)>,
    /// Whether it is open.
    pub is_open: bool,
}

/// Loads the report of a run.
///
/// # Errors
/// The run does not exist, or it is not named and there are several.
pub fn load_report(session: &mut Session, run: Option<&Slug>) -> Result<RunReport, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        report_on(tx, run)
    })
}

/// Loads the report of a run in a transaction.
pub(crate) fn report_on(tx: &mut Transaction<'_>, run: Run) -> Result<RunReport, Error> {
    let history = RunHistory::load(tx, run.id)?;
    let tasks = OutcomeLists::load(tx, run.id)?;
    Ok(RunReport {
        landings: history.landings,
        has_unlanded: history.merged_since_landing > 0,
        overridden: history.overridden,
        refused: history.refused,
        questions: history.questions,
        faults: history.faults,
        advances: history.advances,
        done: tasks.done,
        left: tasks.left,
        unchecked: tasks.unchecked,
        worktrees: worktree::list_not_removed(tx, run.id)?.len(),
        profiles: load_profile_usage(tx, &run)?,
        run,
    })
}

/// The tasks of a run by outcome.
#[derive(Default)]
struct OutcomeLists {
    done: BoundedList<TaskOutcome>,
    left: BoundedList<(TaskOutcome, Option<String>)>,
    unchecked: BoundedList<TaskOutcome>,
}

impl OutcomeLists {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut tasks = Self::default();
        task_outcome::for_each_task(tx, run, |outcome| {
            if outcome.task.state != TaskState::Done {
                tasks.left.push((outcome, None));
                return;
            }
            if outcome.is_unchecked() {
                tasks.unchecked.push(outcome.clone());
            }
            tasks.done.push(outcome);
        })?;
        let ended: Vec<(usize, Attempt)> = tasks
            .left
            .first
            .iter()
            .enumerate()
            .filter_map(|(index, (outcome, _))| {
                let attempt = outcome.attempt.as_ref()?;
                ended_without_success(attempt.state).then(|| (index, attempt.clone()))
            })
            .collect();
        let attempts: Vec<&Attempt> = ended.iter().map(|(_, attempt)| attempt).collect();
        for ((index, _), reason) in ended.iter().zip(work_message::load_end_reasons(tx, &attempts)?) {
            tasks.left.first[*index].1 = reason;
        }
        Ok(tasks)
    }
}

fn ended_without_success(state: AttemptState) -> bool {
    !state.is_live() && state != AttemptState::Accepted
}

/// The history of a run, collected from its events.
#[derive(Default)]
struct RunHistory {
    landings: BoundedList<LandingRecord>,
    merged_since_landing: u64,
    overridden: BoundedList<NotableEvent>,
    refused: BoundedList<NotableEvent>,
    questions: BoundedList<AskedQuestion>,
    faults: BoundedList<NotableEvent>,
    advances: BoundedList<BranchAdvance>,
    /// The index of each thread's open question; `None` if the list is full.
    open: BTreeMap<ThreadId, Option<usize>>,
}

impl RunHistory {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut history = Self::default();
        let mut after = EventId(0);
        loop {
            let events = event::list_by_run(tx, run, after, PAGE)?;
            let Some(last) = events.last() else { return Ok(history) };
            after = last.id;
            for event in events {
                history.add_event(event);
            }
        }
    }

    fn add_event(&mut self, event: Event) {
        match event.kind {
            EventKind::Landed => self.add_landing(&event),
            EventKind::Integrated => self.merged_since_landing += 1,
            EventKind::Accepted => self.overridden.push(notable_event(&event)),
            EventKind::Rejected | EventKind::Failed | EventKind::Lost | EventKind::Recalled => {
                self.refused.push(notable_event(&event));
            }
            EventKind::Fault | EventKind::RunPaused => {
                // A pause by the lead has no reason, and is no failure.
                let fault = notable_event(&event);
                if fault.reason.is_some() {
                    self.faults.push(fault);
                }
            }
            EventKind::BranchAdvanced => self.advances.push(branch_advance(&event)),
            EventKind::Question => self.add_question(event),
            EventKind::Answered => self.record_answer(&event),
            EventKind::Released
            | EventKind::ThreadDone
            | EventKind::ThreadFailed
            | EventKind::ThreadCancelled => self.withdraw_question(&event),
            _ => {}
        }
    }

    fn add_landing(&mut self, event: &Event) {
        let data = event_data(event);
        self.merged_since_landing = 0;
        self.landings.push(LandingRecord {
            onto: text_field(&data, "onto").unwrap_or_default(),
            commit: text_field(&data, "commit").unwrap_or_default(),
            manner: text_field(&data, "manner")
                .and_then(|name| LandingManner::parse(&name))
                .unwrap_or(LandingManner::Checked),
            reason: text_field(&data, "reason"),
            by: event.agent.clone(),
            at: event.at,
        });
    }

    fn add_question(&mut self, event: Event) {
        let question = text_field(&event_data(&event), "question").unwrap_or_default();
        let index = self.questions.first.len();
        let (attempt, by) = (event.attempt, event.agent);
        self.questions.push(AskedQuestion { attempt, by, question, answer: None, is_open: true });
        if let Some(thread) = event.thread {
            self.open.insert(thread, (self.questions.first.len() > index).then_some(index));
        }
    }

    fn record_answer(&mut self, event: &Event) {
        if let Some(asked) = self.close_question(event) {
            asked.answer =
                Some((event.agent.clone(), text_field(&event_data(event), "answer").unwrap_or_default()));
        }
    }

    fn withdraw_question(&mut self, event: &Event) {
        self.close_question(event);
    }

    /// Closes the open question of an event's thread.
    fn close_question(&mut self, event: &Event) -> Option<&mut AskedQuestion> {
        let index = self.open.remove(&event.thread?)??;
        let asked = self.questions.first.get_mut(index)?;
        asked.is_open = false;
        Some(asked)
    }
}

fn branch_advance(event: &Event) -> BranchAdvance {
    let data = event_data(event);
    let authors = data["authors"].as_array().into_iter().flatten();
    BranchAdvance {
        to: text_field(&data, "to").unwrap_or_default(),
        commits: data["total"].as_u64().unwrap_or_default(),
        authors: authors.filter_map(|author| author.as_str().map(str::to_owned)).collect(),
    }
}

fn notable_event(event: &Event) -> NotableEvent {
    let about = match (&event.attempt, &event.task, &event.run) {
        (Some(attempt), _, _) => attempt.to_string(),
        (None, Some(task), _) => task.to_string(),
        (None, None, Some(run)) => run.to_string(),
        (None, None, None) => String::new(),
    };
    let reason = text_field(&event_data(event), "reason").filter(|reason| !reason.is_empty());
    NotableEvent { kind: event.kind, about, by: event.agent.clone(), reason }
}

fn event_data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

fn text_field(data: &Value, name: &str) -> Option<String> {
    data[name].as_str().map(str::to_owned)
}
