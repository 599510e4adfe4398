//! `orch dispatch`: a new attempt and its thread.

use std::collections::BTreeSet;

use orch_core::attempt::Attempt;
use orch_core::event::EventKind;
use orch_core::id::{AttemptName, Slug, TaskId, TaskName};
use orch_core::limit;
use orch_core::refusal::{Reason, Refusal};
use orch_core::run::RunStatus;
use orch_core::task::{Task, TaskState, decide};
use orch_core::thread::{NewThread, Reference, ThreadKind};
use orch_store::Transaction;
use orch_store::table::{agent, attempt, dependency, task as task_table, thread};

use super::stage::{Stage, Told, change as lead_change};
use super::{TaskRef, TaskShown, ready, scope, work_message};
use crate::inbox::{ThreadShown, send};
use crate::{Answer, Error, Receipt, Session};

/// A dispatched task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// The task.
    pub task: TaskShown,
    /// Its new attempt.
    pub attempt: Attempt,
    /// The attempt's thread.
    pub thread: ThreadShown,
    /// Whether the agent was ever seen; a name never seen may be mistyped.
    pub agent_seen: bool,
}

/// What dispatching all came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchedAll {
    /// What was dispatched, in order.
    pub dispatched: Vec<Dispatched>,
    /// What was ready and still not dispatched, and why. Once a run is full only the first such task of it is named.
    pub refused: Vec<(TaskName, Refusal)>,
}

/// How many, and to whom.
#[derive(Clone, Debug)]
pub struct All {
    /// Of which run; of all unfinished ones when not given.
    pub run: Option<Slug>,
    /// Agents to share the work, least loaded first; each task's own agent when empty.
    pub to: Vec<Slug>,
    /// The most tasks to dispatch.
    pub limit: u32,
}

/// Dispatches one task.
///
/// # Errors
/// It is not ready, has a live attempt, names no agent, the run is full, or the store failed.
pub fn one(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Dispatched>>,
    who: &Slug,
    task: &TaskRef,
    to: Option<&Slug>,
) -> Result<Answer<Dispatched>, Error> {
    lead_change(session, receipt, who, |stage| {
        let run = stage.named_run(task.run.as_ref())?;
        let found = scope::task_in(stage.tx, &run, &task.key)?;
        attempt_at(stage, &found, to)
    })
}

/// Dispatches what is ready, in order.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn all(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchedAll>>,
    who: &Slug,
    request: &All,
) -> Result<Answer<DispatchedAll>, Error> {
    lead_change(session, receipt, who, |stage| {
        let mut outcome = DispatchedAll { dispatched: Vec::new(), refused: Vec::new() };
        let mut agents = Loads::new(stage.tx, &request.to)?;
        let mut full = BTreeSet::new();
        for task in candidates(stage, request)? {
            if outcome.dispatched.len() as u64 == u64::from(request.limit) {
                break;
            }
            if full.contains(&task.run) {
                continue;
            }
            match attempt_at(stage, &task, agents.lightest()) {
                Ok(dispatched) => {
                    agents.add(&dispatched.attempt.agent);
                    outcome.dispatched.push(dispatched);
                }
                Err(Error::Refused(refusal)) => {
                    if matches!(refusal, Refusal::CapacityReached { .. }) {
                        full.insert(task.run);
                    }
                    outcome.refused.push((task.name, refusal));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(outcome)
    })
}

/// What may be dispatched, in the order of the ready list, with more than the limit of each run: one run may be full,
/// and what is refused does not use the limit up, but is looked at only up to the length of a list.
fn candidates(stage: &mut Stage<'_, '_>, request: &All) -> Result<Vec<Task>, Error> {
    let mut runs = scope::runs(stage.tx, request.run.as_ref())?;
    runs.retain(|run| run.state.status() == RunStatus::Open);
    let wanted = request.limit.saturating_add(if request.limit == 0 { 0 } else { limit::LIST_DEFAULT });
    let mut tasks = Vec::new();
    for run in &runs {
        tasks.extend(task_table::ready(stage.tx, run.id, None, stage.now, wanted, 0)?);
    }
    if runs.len() > 1 {
        tasks.sort_by_key(ready::place);
    }
    Ok(tasks)
}

/// The agents that share the work, with how much each has.
struct Loads(Vec<(Slug, i64)>);

impl Loads {
    fn new(tx: &mut Transaction<'_>, names: &[Slug]) -> Result<Self, Error> {
        let mut loads = Vec::with_capacity(names.len());
        for name in names {
            let load = thread::queue_length(tx, name)? + thread::held_by(tx, name)?;
            loads.push((name.clone(), load));
        }
        Ok(Self(loads))
    }

    fn lightest(&self) -> Option<&Slug> {
        self.0.iter().min_by_key(|(_, load)| *load).map(|(name, _)| name)
    }

    fn add(&mut self, name: &Slug) {
        if let Some((_, load)) = self.0.iter_mut().find(|(known, _)| known == name) {
            *load += 1;
        }
    }
}

/// Makes an attempt at a task and sends its thread.
fn attempt_at(stage: &mut Stage<'_, '_>, task: &Task, to: Option<&Slug>) -> Result<Dispatched, Error> {
    let run = stage.run(task.run)?.clone();
    let agent = match decide::dispatch(&run, task, to, stage.now) {
        Err(refusal) => return Err(with_dependencies(stage.tx, task, refusal)?.into()),
        Ok(agent) => agent,
    };
    let known = agent::load(stage.tx, &agent)?;
    let id = attempt::next(stage.tx)?;
    let after = decide::dispatched(task, id, stage.now);
    let number = after.attempt.map_or(1, |last| last.number);
    let text = task_table::text(stage.tx, task.id)?;
    let name = AttemptName { task: task.name.clone(), number };
    let work = work_message::write(stage.tx, task, &text, &name)?;
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: task.title.clone(),
        from: stage.who.clone().unwrap_or_else(|| agent.clone()),
        to: agent.clone(),
        priority: task.priority,
        lease_length: run.policy.lease,
        answer_after: run.policy.answer_after,
        reference: Some(Reference { run: run.id, task: task.id, attempt: id }),
    };
    let (thread, _) = send::begin(stage.tx, head, work.body, Some(work.payload), stage.now)?;
    let attempt = attempt::insert(stage.tx, id, task, number, &agent, thread.id, stage.now)?;
    let told = Told {
        thread: Some(thread.id),
        data: vec![("agent", agent.to_string().into())],
        ..Told::plain(EventKind::Dispatched, "the lead dispatched it")
    };
    stage.move_task(task, &after, told)?;
    Ok(Dispatched {
        task: TaskShown { task: after, waits_for: Vec::new(), worker: Some(agent) },
        attempt,
        thread: ThreadShown { thread, question: None },
        agent_seen: known.is_some_and(|agent| agent.last_seen_at.is_some()),
    })
}

/// Names the dependencies that a refusal is about.
pub(crate) fn with_dependencies(
    tx: &mut Transaction<'_>,
    task: &Task,
    refusal: Refusal,
) -> Result<Refusal, Error> {
    let Refusal::TaskNotReady { task: name, reasons } = refusal else { return Ok(refusal) };
    Ok(Refusal::TaskNotReady { task: name, reasons: named(tx, task, reasons, limit::CAUSE_STEPS_MAX)? })
}

/// Fills in which dependencies the reasons are about, and where they come from, looking so many steps back.
pub(crate) fn named(
    tx: &mut Transaction<'_>,
    task: &Task,
    mut reasons: Vec<Reason>,
    cause_steps: usize,
) -> Result<Vec<Reason>, Error> {
    for reason in &mut reasons {
        match reason {
            Reason::WaitingDependency { on } => *on = dependency::waits_for(tx, task.id)?,
            Reason::DependencyFailed { on, root } => {
                *on = dependency::broken(tx, task.id)?;
                *root = root_of(tx, task.id, cause_steps)?;
            }
            Reason::Live { .. }
            | Reason::Backoff { .. }
            | Reason::RunPaused { .. }
            | Reason::Capacity { .. }
            | Reason::Question { .. }
            | Reason::NoAgent
            | Reason::Unclaimed { .. }
            | Reason::Finished { .. }
            | Reason::Cancelled
            | Reason::RunCancelled { .. } => {}
        }
    }
    Ok(reasons)
}

/// The failed or cancelled task that a skipped one's state comes from, by the first way back.
pub(crate) fn root_of(
    tx: &mut Transaction<'_>,
    skipped: TaskId,
    steps: usize,
) -> Result<Option<Slug>, Error> {
    let mut id = skipped;
    for _ in 0..steps {
        match dependency::worst(tx, id)? {
            Some((next, _, TaskState::Skipped)) => id = next,
            Some((_, key, _)) => return Ok(Some(key)),
            None => return Ok(None),
        }
    }
    Ok(None)
}
