//! `orch report`: the results of a run, from its tasks and its events.

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::event::{Event, EventKind};
use orch_core::id::{AttemptName, EventId, RunId, Slug, TaskId};
use orch_core::limit;
use orch_core::run::{LandingManner, Run};
use orch_core::task::TaskState;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::usage::UsageSum;
use orch_store::table::{event, task as task_table, worktree};
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
    let tasks = OutcomeLists::load(tx, &run)?;
    Ok(RunReport {
        landings: history.landings,
        has_unlanded: history.has_unlanded,
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
    /// Loads the first tasks of each list; how long the lists are follows from the counters of the run.
    fn load(tx: &mut Transaction<'_>, run: &Run) -> Result<Self, Error> {
        const SHOWN: u32 = limit::LIST_DEFAULT;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let done_total = count(run.counts.in_state(TaskState::Done));
        let done = task_table::list_in_state(tx, run.id, TaskState::Done, TaskId(0), SHOWN)?;
        let unfinished: Vec<TaskState> =
            TaskState::ALL.into_iter().filter(|state| *state != TaskState::Done).collect();
        let mut left = task_table::list_in_states(tx, run.id, &unfinished, TaskId(0), SHOWN)?;
        left.truncate(SHOWN as usize);
        let (unchecked, unchecked_total) = task_table::list_unchecked(tx, run.id, SHOWN)?;
        let left =
            task_outcome::load_outcomes(tx, left)?.into_iter().map(|outcome| (outcome, None)).collect();
        let mut tasks = Self {
            done: BoundedList { first: task_outcome::load_outcomes(tx, done)?, total: done_total },
            left: BoundedList { first: left, total: count(run.counts.total()).saturating_sub(done_total) },
            unchecked: BoundedList {
                first: task_outcome::load_outcomes(tx, unchecked)?,
                total: unchecked_total,
            },
        };
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

/// The history of a run: of each kind of event the first ones, and how many there are.
struct RunHistory {
    landings: BoundedList<LandingRecord>,
    has_unlanded: bool,
    overridden: BoundedList<NotableEvent>,
    refused: BoundedList<NotableEvent>,
    questions: BoundedList<AskedQuestion>,
    faults: BoundedList<NotableEvent>,
    advances: BoundedList<BranchAdvance>,
}

impl RunHistory {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut landings = BoundedList::default();
        let mut landed = EventId(0);
        visit_events(tx, run, EventKind::Landed, |event| {
            landed = event.id;
            landings.push(landing_record(&event));
        })?;
        let mut faults = Vec::new();
        for kind in [EventKind::Fault, EventKind::RunPaused] {
            visit_events(tx, run, kind, |event| {
                let fault = notable_event(&event);
                // A pause by the lead has no reason, and is no failure.
                if fault.reason.is_some() {
                    faults.push((event.id, fault));
                }
            })?;
        }
        faults.sort_by_key(|(id, _)| *id);
        let mut told = BoundedList::default();
        faults.into_iter().for_each(|(_, fault)| told.push(fault));
        let mut advances = BoundedList::default();
        visit_events(tx, run, EventKind::BranchAdvanced, |event| advances.push(branch_advance(&event)))?;
        let failures = [EventKind::Rejected, EventKind::Failed, EventKind::Lost, EventKind::Recalled];
        Ok(Self {
            landings,
            has_unlanded: !event::list_reported(tx, run, EventKind::Integrated, landed, 1)?.is_empty(),
            overridden: first_events(tx, run, &[EventKind::Accepted])?.map_entries(notable_event),
            refused: first_events(tx, run, &failures)?.map_entries(notable_event),
            questions: load_questions(tx, run)?,
            faults: told,
            advances,
        })
    }
}

/// Loads the first events of some kinds, oldest first, and counts all of them.
fn first_events(
    tx: &mut Transaction<'_>,
    run: RunId,
    kinds: &[EventKind],
) -> Result<BoundedList<Event>, Error> {
    let mut events = BoundedList::default();
    for kind in kinds {
        events.total += event::count_reported(tx, run, *kind, EventId(0))?;
        events.first.extend(event::list_reported(tx, run, *kind, EventId(0), limit::LIST_DEFAULT)?);
    }
    events.first.sort_by_key(|event| event.id);
    events.first.truncate(limit::LIST_DEFAULT as usize);
    Ok(events)
}

/// Visits all events of a kind that is rare.
fn visit_events(
    tx: &mut Transaction<'_>,
    run: RunId,
    kind: EventKind,
    mut visit: impl FnMut(Event),
) -> Result<(), Error> {
    let mut after = EventId(0);
    loop {
        let events = event::list_reported(tx, run, kind, after, PAGE)?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.id;
        events.into_iter().for_each(&mut visit);
    }
}

/// Loads the first questions, each with its answer or its end.
fn load_questions(tx: &mut Transaction<'_>, run: RunId) -> Result<BoundedList<AskedQuestion>, Error> {
    let asked = first_events(tx, run, &[EventKind::Question])?;
    let mut questions = BoundedList { first: Vec::new(), total: asked.total };
    for event in asked.first {
        let end = match &event.task {
            Some(task) => event::after_question(tx, task, event.id)?,
            None => None,
        };
        let answer = end.as_ref().filter(|end| end.kind == EventKind::Answered);
        questions.first.push(AskedQuestion {
            question: text_field(&event_data(&event), "question").unwrap_or_default(),
            answer: answer
                .map(|end| (end.agent.clone(), text_field(&event_data(end), "answer").unwrap_or_default())),
            is_open: end.is_none(),
            attempt: event.attempt,
            by: event.agent,
        });
    }
    Ok(questions)
}

fn landing_record(event: &Event) -> LandingRecord {
    let data = event_data(event);
    LandingRecord {
        onto: text_field(&data, "onto").unwrap_or_default(),
        commit: text_field(&data, "commit").unwrap_or_default(),
        manner: text_field(&data, "manner")
            .and_then(|name| LandingManner::parse(&name))
            .unwrap_or(LandingManner::Checked),
        reason: text_field(&data, "reason"),
        by: event.agent.clone(),
        at: event.at,
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
