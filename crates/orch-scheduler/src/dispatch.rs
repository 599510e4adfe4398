//! `orch dispatch`: creates attempts and sends their threads.

use std::cell::RefCell;
use std::collections::BTreeSet;

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::id::{AttemptId, Slug, TaskName};
use orch_core::known_agents::KnownAgents;
use orch_core::limit;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::thread::Thread;
use orch_core::time::Time;
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{agent, attempt, effect, task as task_table, thread, worktree};

use crate::attempt_base::AttemptBases;
use crate::new_attempt::{AttemptFactory, Delivery, NewAttempt};
use crate::operation::Operation;
use crate::perform::effect_lease;
use crate::perform::effect_lease::EffectLease;
use crate::perform::prepare::FailedPreparation;
use crate::perform::{complete_effect, prepare};
use crate::unit_of_work::UnitOfWork;
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::ThreadSummary;
use orch_inbox::{Error, Receipt, RequestDecision, RequestIntent, Response, Session};

/// A dispatched task.
#[derive(Debug)]
pub struct DispatchOutcome {
    /// The task.
    pub task: TaskOverview,
    /// Its new attempt.
    pub attempt: Attempt,
    /// Its worktree, in a run with worktrees.
    pub worktree: Option<Worktree>,
    /// Its thread.
    pub thread: Option<ThreadSummary>,
    /// Whether the agent was ever seen; an unseen name may be mistyped.
    pub agent_seen: bool,
}

/// The result of dispatching all ready tasks.
#[derive(Debug)]
pub struct DispatchAllOutcome {
    /// The dispatched tasks, in order.
    pub dispatched: Vec<DispatchOutcome>,
    /// The ready tasks that could not be dispatched, and why.
    /// Once a run has reached its capacity, or cannot dispatch at all, only the first such task of it is named.
    pub refused: Vec<(TaskName, Error)>,
}

/// A request to dispatch all ready tasks.
#[derive(Clone, Debug)]
pub struct DispatchAllRequest {
    /// The run; all unfinished ones when not given.
    pub run: Option<Slug>,
    /// Agents that share the tasks, least loaded first; each task's own agent when empty.
    pub to: Vec<Slug>,
    /// The most tasks to dispatch.
    pub limit: u32,
    /// What is known of agents.
    pub agents: KnownAgents,
}

/// The recipient of one task.
#[derive(Clone, Copy, Debug)]
pub struct DispatchRecipient<'a> {
    /// The agent; the task's own when not given.
    pub to: Option<&'a Slug>,
    /// What is known of agents.
    pub agents: &'a KnownAgents,
}

impl<'a> DispatchRecipient<'a> {
    /// A recipient, where nothing is known of agents.
    #[must_use]
    pub fn agent(to: Option<&'a Slug>) -> Self {
        static NONE: KnownAgents = KnownAgents { free: BTreeSet::new(), humans: BTreeSet::new() };
        Self { to, agents: &NONE }
    }
}

/// Dispatches one task. In a run with worktrees, its worktree is created before the response; see [`super::attempt_base`].
///
/// # Errors
/// The task is not ready, has a live attempt or no agent, the run has reached its capacity, or the worktree cannot be created.
pub fn dispatch_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    to: DispatchRecipient<'_>,
) -> Result<Response<DispatchOutcome>, Error> {
    dispatch_and_prepare(session, receipt, who, task, to, FailedPreparation::EndsAttempt)
}

/// Dispatches one task for a supervisor, which tries a preparation that fails again.
///
/// # Errors
/// The errors of [`dispatch_task`]; the attempt stays where the preparation may succeed later.
pub fn dispatch_supervised(
    session: &mut Session,
    who: &Slug,
    task: &TaskSelector,
    to: DispatchRecipient<'_>,
) -> Result<(), Error> {
    dispatch_and_prepare(session, None, who, task, to, FailedPreparation::StaysPending).map(|_| ())
}

fn dispatch_and_prepare(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    recipient: DispatchRecipient<'_>,
    on_failure: FailedPreparation,
) -> Result<Response<DispatchOutcome>, Error> {
    let bases = if session.is_new_request(receipt)? {
        AttemptBases::find_for_task(session, task)?
    } else {
        AttemptBases::default()
    };
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(task.run.as_ref())?;
            let task = lookup::find_task_in_run(unit.tx, &run, &task.key)?;
            let DispatchRecipient { to, agents } = recipient;
            if let Some(id) = find_interrupted_attempt(unit, &task, to)? {
                return Ok(RequestDecision::Pending(DispatchIntent::interrupted(id)));
            }
            let mut factory = AttemptFactory::new(&bases, std::slice::from_ref(&task), agents);
            let created = factory.create_attempt(unit, &task, to)?;
            factory.record_usage(unit)?;
            Ok(match DispatchIntent::of(created).into_sent() {
                Ok(outcome) => RequestDecision::Complete(outcome),
                Err(intent) => RequestDecision::Pending(intent),
            })
        },
        |session, intent| finish_dispatch(session, intent, on_failure),
    )
}

/// Dispatches the ready tasks in order.
pub fn dispatch_all_ready(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchAllOutcome>>,
    who: &Slug,
    request: &DispatchAllRequest,
) -> Result<Response<DispatchAllOutcome>, Error> {
    dispatch_selected(session, receipt, who, request, &[])
}

/// Dispatches the named tasks; those that are not ready are refused one by one.
///
/// # Errors
/// A task does not exist.
pub fn dispatch_named(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchAllOutcome>>,
    who: &Slug,
    tasks: &[TaskSelector],
    to: &[Slug],
    agents: KnownAgents,
) -> Result<Response<DispatchAllOutcome>, Error> {
    let limit = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    let request = DispatchAllRequest { run: None, to: to.to_vec(), limit, agents };
    dispatch_selected(session, receipt, who, &request, tasks)
}

/// Dispatches the named tasks, or else the ready ones.
fn dispatch_selected(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchAllOutcome>>,
    who: &Slug,
    request: &DispatchAllRequest,
    named: &[TaskSelector],
) -> Result<Response<DispatchAllOutcome>, Error> {
    let mut bases = AttemptBases::default();
    if session.is_new_request(receipt)? {
        bases = AttemptBases::find_for_tasks(session, |tx, now| {
            let runs = open_runs(tx, request, named)?;
            let candidates = dispatch_candidates(tx, &runs, request, named, now)?;
            Ok(runs
                .into_iter()
                .map(|run| {
                    let tasks = candidates.iter().filter(|task| task.run == run.id).cloned().collect();
                    (run, tasks)
                })
                .collect())
        })?;
    }
    // Refusals of the first transaction are reported by whichever part returns the outcome.
    let refused = RefCell::new(Vec::new());
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let (intents, refusals) = create_attempts(unit, request, named, &bases)?;
            if !intents.iter().all(DispatchIntent::is_sent) {
                refused.replace(refusals);
                return Ok(RequestDecision::Pending(DispatchIntents(intents)));
            }
            let dispatched = intents.into_iter().filter_map(|intent| intent.into_sent().ok()).collect();
            Ok(RequestDecision::Complete(DispatchAllOutcome { dispatched, refused: refusals }))
        },
        |session, intents| {
            let mut outcome = DispatchAllOutcome { dispatched: Vec::new(), refused: refused.take() };
            for intent in intents.0 {
                let id = intent.id;
                match finish_dispatch(session, intent, FailedPreparation::EndsAttempt) {
                    Ok(dispatched) => outcome.dispatched.push(dispatched),
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => {
                        let attempt = session.read(|tx, _| load_attempt(tx, id))?;
                        outcome.refused.push((attempt.name.task, error));
                    }
                }
            }
            Ok(outcome)
        },
    )
}

/// An attempt whose dispatch was decided, with what the deciding transaction knew of it.
struct DispatchIntent {
    id: AttemptId,
    /// `None` where another process or an earlier request has decided.
    created: Option<Box<NewAttempt>>,
}

impl DispatchIntent {
    fn of(created: NewAttempt) -> Self {
        Self { id: created.attempt.id, created: Some(Box::new(created)) }
    }

    fn interrupted(id: AttemptId) -> Self {
        Self { id, created: None }
    }

    fn is_sent(&self) -> bool {
        self.created.as_ref().is_some_and(|created| matches!(created.delivery, Delivery::Sent(_)))
    }

    /// The outcome, where the thread was sent by the deciding transaction.
    fn into_sent(self) -> Result<DispatchOutcome, Self> {
        match self.created.map(|created| *created) {
            Some(NewAttempt { task, attempt, agent_seen, delivery: Delivery::Sent(thread) }) => {
                Ok(DispatchOutcome::of_sent(task, attempt, None, thread, agent_seen))
            }
            created => Err(Self { id: self.id, created: created.map(Box::new) }),
        }
    }
}

impl DispatchOutcome {
    fn of_sent(
        task: Task,
        attempt: Attempt,
        worktree: Option<Worktree>,
        thread: Thread,
        agent_seen: bool,
    ) -> Self {
        // A dispatched task has no unmet dependency.
        let task = TaskOverview { task, waits_for: Vec::new(), worker: Some(attempt.agent.clone()) };
        Self { task, attempt, worktree, thread: Some(ThreadSummary { thread, question: None }), agent_seen }
    }

    fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Self, Error> {
        let attempt = load_attempt(tx, id)?;
        let task = lookup::load_task(tx, attempt.task)?;
        let agent = agent::load(tx, &attempt.agent)?;
        let thread = match attempt.thread {
            Some(id) => thread::load(tx, id)?.map(|thread| ThreadSummary { thread, question: None }),
            None => None,
        };
        Ok(Self {
            task: lookup::task_overview(tx, task)?,
            worktree: worktree::load(tx, id)?,
            thread,
            agent_seen: agent.is_some_and(|agent| agent.last_seen_at.is_some()),
            attempt,
        })
    }
}

impl RequestIntent for DispatchIntent {
    fn encode(&self) -> String {
        self.id.0.encode()
    }

    fn decode(text: &str) -> Option<Self> {
        i64::decode(text).map(|id| Self::interrupted(AttemptId(id)))
    }
}

/// The intents of a request to dispatch all ready tasks.
struct DispatchIntents(Vec<DispatchIntent>);

impl RequestIntent for DispatchIntents {
    fn encode(&self) -> String {
        self.0.iter().map(|intent| intent.id.0).collect::<Vec<i64>>().encode()
    }

    fn decode(text: &str) -> Option<Self> {
        let ids = Vec::<i64>::decode(text)?;
        Some(Self(ids.into_iter().map(|id| DispatchIntent::interrupted(AttemptId(id))).collect()))
    }
}

/// Creates attempts at the ready tasks in order, up to the limit of the request; returns the refusals too.
#[expect(clippy::type_complexity, reason = "two lists, named by the caller")]
fn create_attempts(
    unit: &mut UnitOfWork<'_, '_>,
    request: &DispatchAllRequest,
    named: &[TaskSelector],
    bases: &AttemptBases,
) -> Result<(Vec<DispatchIntent>, Vec<(TaskName, Error)>), Error> {
    let runs = open_runs(unit.tx, request, named)?;
    let mut intents = if named.is_empty() { find_interrupted_attempts(unit, request)? } else { Vec::new() };
    let mut agents = AgentLoads::new(unit.tx, &request.to)?;
    let tasks = dispatch_candidates(unit.tx, &runs, request, named, unit.now)?;
    let mut factory = AttemptFactory::new(bases, &tasks, &request.agents);
    let (mut full, mut refused) = (BTreeSet::new(), Vec::new());
    for task in &tasks {
        if intents.len() as u64 >= u64::from(request.limit) {
            break;
        }
        if full.contains(&task.run) {
            continue;
        }
        match factory.create_attempt(unit, task, agents.least_loaded()) {
            Ok(created) => {
                agents.count_attempt(&created.attempt.agent);
                intents.push(DispatchIntent::of(created));
            }
            Err(error @ (Error::Refused(_) | Error::Git(_) | Error::File { .. })) => {
                let is_full = matches!(error, Error::Refused(Refusal::CapacityReached { .. }));
                if is_full || bases.cannot_dispatch(task.run) {
                    full.insert(task.run);
                }
                refused.push((task.name.clone(), error));
            }
            Err(other) => return Err(other),
        }
    }
    factory.record_usage(unit)?;
    Ok((intents, refused))
}

/// The task's attempt whose preparation was interrupted; a repeated dispatch completes it.
fn find_interrupted_attempt(
    unit: &mut UnitOfWork<'_, '_>,
    task: &Task,
    to: Option<&Slug>,
) -> Result<Option<AttemptId>, Error> {
    let Some(last) = task.attempt.filter(|_| task.state == TaskState::Dispatched) else { return Ok(None) };
    let key = EffectKey::of_attempt(EffectKind::Prepare, task.run, last.id);
    let Some(pending) = effect::find_pending(unit.tx, key)? else { return Ok(None) };
    let is_same_agent = match (to, attempt::load(unit.tx, last.id)?) {
        (Some(to), Some(attempt)) => attempt.agent == *to,
        (None, _) | (_, None) => true,
    };
    Ok((is_same_agent && effect_lease::is_unheld(&pending, unit.now)).then_some(last.id))
}

/// The attempts of the requested runs whose preparation was interrupted.
fn find_interrupted_attempts(
    unit: &mut UnitOfWork<'_, '_>,
    request: &DispatchAllRequest,
) -> Result<Vec<DispatchIntent>, Error> {
    let mut found = Vec::new();
    for run in lookup::find_runs(unit.tx, request.run.as_ref())? {
        if run.ground.is_none() {
            continue;
        }
        for pending in effect::list_pending(unit.tx, Some(run.id))? {
            if let Effect::PrepareWorktree { attempt, .. } = pending.effect
                && effect_lease::is_unheld(&pending, unit.now)
            {
                found.push(DispatchIntent::interrupted(attempt));
            }
        }
    }
    Ok(found)
}

fn load_attempt(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Attempt, Error> {
    attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))
}

/// Prepares the attempt's worktree, if it is to have one, and returns the outcome.
fn finish_dispatch(
    session: &mut Session,
    intent: DispatchIntent,
    on_failure: FailedPreparation,
) -> Result<DispatchOutcome, Error> {
    let id = intent.id;
    let intent = match intent.into_sent() {
        Ok(outcome) => return Ok(outcome),
        Err(intent) => intent,
    };
    if let Some(created) = intent.created
        && let NewAttempt {
            task, agent_seen, delivery: Delivery::Preparing { requested, facts, lead }, ..
        } = *created
        && let Some(lease) = requested.and_then(|requested| EffectLease::of_request(session, requested))
    {
        let sent = lease.perform(session, |session, lease| {
            prepare::prepare_loaded(session, lease, &facts, Some(&lead), on_failure)
        })?;
        if let Some(sent) = sent {
            return Ok(DispatchOutcome::of_sent(
                task,
                sent.attempt,
                Some(sent.tree),
                sent.thread,
                agent_seen,
            ));
        }
    } else {
        let run = session.read(|tx, _| load_attempt(tx, id))?.run;
        complete_effect(session, EffectKey::of_attempt(EffectKind::Prepare, run, id))?;
    }
    let dispatched = session.read(|tx, _| DispatchOutcome::load(tx, id))?;
    match &dispatched.attempt {
        // Another process performed the effect, and could not prepare the worktree.
        Attempt { state: AttemptState::Failed, thread: None, name, reason, .. } => {
            let reason = reason.clone().unwrap_or_default();
            Err(TreeRefusal::NotPrepared { attempt: name.clone(), reason }.into())
        }
        _ => Ok(dispatched),
    }
}

/// The requested runs that are open.
fn open_runs(
    tx: &mut Transaction<'_>,
    request: &DispatchAllRequest,
    named: &[TaskSelector],
) -> Result<Vec<Run>, Error> {
    if !named.is_empty() {
        let mut runs: Vec<Run> = Vec::new();
        for task in named {
            let run = lookup::find_run(tx, task.run.as_ref())?;
            if !runs.iter().any(|known| known.id == run.id) {
                runs.push(run);
            }
        }
        return Ok(runs);
    }
    let mut runs = lookup::find_runs(tx, request.run.as_ref())?;
    runs.retain(|run| run.state.status() == RunStatus::Open);
    Ok(runs)
}

/// Lists the tasks that may be dispatched, in the order of the ready list.
///
/// There are more than the limit for each run: one run may be full, and refused tasks do not count towards the limit, but are looked at only up to the length of a list.
fn dispatch_candidates(
    tx: &mut Transaction<'_>,
    runs: &[Run],
    request: &DispatchAllRequest,
    named: &[TaskSelector],
    now: Time,
) -> Result<Vec<Task>, Error> {
    if !named.is_empty() {
        let mut tasks: Vec<Task> = Vec::with_capacity(named.len());
        for task in named {
            let task = lookup::find_task(tx, task)?;
            if !tasks.iter().any(|known| known.id == task.id) {
                tasks.push(task);
            }
        }
        return Ok(tasks);
    }
    let wanted = request.limit.saturating_add(if request.limit == 0 { 0 } else { limit::LIST_DEFAULT });
    let mut tasks = Vec::new();
    for run in runs {
        tasks.extend(task_table::list_ready(tx, run.id, None, now, wanted, None)?);
    }
    if runs.len() > 1 {
        tasks.sort_by_key(Task::dispatch_order);
    }
    Ok(tasks)
}

/// The agents that share the tasks, each with the number of its open threads.
struct AgentLoads(Vec<(Slug, i64)>);

impl AgentLoads {
    fn new(tx: &mut Transaction<'_>, names: &[Slug]) -> Result<Self, Error> {
        let mut loads = Vec::with_capacity(names.len());
        for name in names {
            let load = thread::queue_length(tx, name)? + thread::count_held(tx, name)?;
            loads.push((name.clone(), load));
        }
        Ok(Self(loads))
    }

    fn least_loaded(&self) -> Option<&Slug> {
        self.0.iter().min_by_key(|(_, load)| *load).map(|(name, _)| name)
    }

    fn count_attempt(&mut self, name: &Slug) {
        if let Some((_, load)) = self.0.iter_mut().find(|(known, _)| known == name) {
            *load += 1;
        }
    }
}
