//! `orch dispatch`: a new attempt and its thread.

use std::cell::RefCell;
use std::collections::BTreeSet;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::effect::EffectKind;
use orch_core::event::EventKind;
use orch_core::id::{AttemptId, AttemptName, Slug, TaskId, TaskName, ThreadId};
use orch_core::limit;
use orch_core::refusal::{NotReadyReason, Refusal, TreeRefusal};
use orch_core::run::{ResourceUsage, Run, RunStatus};
use orch_core::task::{ChecksStatus, Task, TaskState, TaskText, decide};
use orch_core::thread::{AttemptReference, NewThread, ThreadKind};
use orch_core::time::Time;
use orch_core::worktree::{Worktree, free_slot};
use orch_store::Transaction;
use orch_store::table::{
    agent, attempt, dependency, effect, run as run_table, task as task_table, thread, worktree,
};

use super::attempt_base::{AttemptBases, reconcile_for_bases};
use super::operation::Operation;
use super::perform::{complete_effect, effect_lease};
use super::unit_of_work::{TransitionEvent, UnitOfWork};
use super::{TaskOverview, TaskSelector, lookup, ready, work_message};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_inbox::{ThreadSummary, send};

/// A dispatched task.
#[derive(Debug)]
pub struct DispatchOutcome {
    /// The task.
    pub task: TaskOverview,
    /// Its new attempt.
    pub attempt: Attempt,
    /// The attempt's worktree, in a run that has them.
    pub worktree: Option<Worktree>,
    /// The attempt's thread.
    pub thread: Option<ThreadSummary>,
    /// Whether the agent was ever seen; a name never seen may be mistyped.
    pub agent_seen: bool,
}

/// What dispatching all came to.
#[derive(Debug)]
pub struct DispatchAllOutcome {
    /// What was dispatched, in order.
    pub dispatched: Vec<DispatchOutcome>,
    /// What was ready and still not dispatched, and why. Once a run is full, or can do nothing at all, only the
    /// first such task of it is named.
    pub refused: Vec<(TaskName, Error)>,
}

/// How many, and to whom.
#[derive(Clone, Debug)]
pub struct DispatchAllRequest {
    /// Of which run; of all unfinished ones when not given.
    pub run: Option<Slug>,
    /// Agents to share the work, least loaded first; each task's own agent when empty.
    pub to: Vec<Slug>,
    /// The most tasks to dispatch.
    pub limit: u32,
}

/// Dispatches one task. In a run with worktrees its tree is made before the answer; see [`super::attempt_base`].
///
/// # Errors
/// It is not ready, has a live attempt, names no agent, the run is full, its tree cannot be made, or the store failed.
pub fn dispatch_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    to: Option<&Slug>,
) -> Result<Response<DispatchOutcome>, Error> {
    let bases = if session.is_new_request(receipt)? {
        AttemptBases::find_for_task(session, task)?
    } else {
        AttemptBases::default()
    };
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let run = stage.resolve_run(task.run.as_ref())?;
            let found = lookup::find_task_in_run(stage.tx, &run, &task.key)?;
            if let Some(begun) = find_begun_attempt(stage, &found, to)? {
                return Ok(RequestDecision::Pending(begun.0));
            }
            let (id, _) = create_attempt(stage, &found, to, &bases)?;
            if run.ground.is_some() {
                return Ok(RequestDecision::Pending(id));
            }
            Ok(RequestDecision::Complete(load_dispatch_outcome(stage.tx, AttemptId(id))?))
        },
        |session, id| finish_dispatch(session, AttemptId(id)),
    )
}

/// Dispatches what is ready, in order.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn dispatch_all_ready(
    session: &mut Session,
    receipt: Option<&Receipt<'_, DispatchAllOutcome>>,
    who: &Slug,
    request: &DispatchAllRequest,
) -> Result<Response<DispatchAllOutcome>, Error> {
    let mut bases = AttemptBases::default();
    if session.is_new_request(receipt)? {
        reconcile_for_bases(session)?;
        let ready = session.read(|tx, now| dispatch_candidates(tx, request, now))?;
        bases = AttemptBases::find_for_tasks(session, &ready)?;
    }
    // What the first transaction refuses is told by whichever part answers.
    let refused = RefCell::new(Vec::new());
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            refused.borrow_mut().clear();
            let mut made: Vec<i64> = find_begun_attempts(stage, request)?;
            let mut has_worktrees = !made.is_empty();
            let mut agents = AgentLoads::new(stage.tx, &request.to)?;
            let mut full = BTreeSet::new();
            for task in dispatch_candidates(stage.tx, request, stage.now)? {
                if made.len() as u64 >= u64::from(request.limit) {
                    break;
                }
                if full.contains(&task.run) {
                    continue;
                }
                match create_attempt(stage, &task, agents.least_loaded(), &bases) {
                    Ok((id, agent)) => {
                        agents.count_attempt(&agent);
                        made.push(id);
                        has_worktrees |= stage.load_run(task.run)?.ground.is_some();
                    }
                    Err(error @ (Error::Refused(_) | Error::Git(_) | Error::File { .. })) => {
                        let is_full = matches!(error, Error::Refused(Refusal::CapacityReached { .. }));
                        if is_full || bases.cannot_dispatch(task.run) {
                            full.insert(task.run);
                        }
                        refused.borrow_mut().push((task.name, error));
                    }
                    Err(other) => return Err(other),
                }
            }
            if has_worktrees {
                return Ok(RequestDecision::Pending(made));
            }
            let mut dispatched = Vec::with_capacity(made.len());
            for id in made {
                dispatched.push(load_dispatch_outcome(stage.tx, AttemptId(id))?);
            }
            Ok(RequestDecision::Complete(DispatchAllOutcome { dispatched, refused: refused.take() }))
        },
        |session, made| {
            let mut outcome = DispatchAllOutcome { dispatched: Vec::new(), refused: refused.take() };
            for id in made {
                match finish_dispatch(session, AttemptId(id)) {
                    Ok(dispatched) => outcome.dispatched.push(dispatched),
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => outcome.refused.push((task_name_of(session, AttemptId(id))?, error)),
                }
            }
            Ok(outcome)
        },
    )
}

/// The task's attempt that a process which has ended was dispatching; asked for again, it is gone on with.
fn find_begun_attempt(
    stage: &mut UnitOfWork<'_, '_>,
    task: &Task,
    to: Option<&Slug>,
) -> Result<Option<AttemptId>, Error> {
    let Some(last) = task.attempt.filter(|_| task.state == TaskState::Dispatched) else { return Ok(None) };
    let Some(asked) = effect::find_pending(stage.tx, EffectKind::Prepare, task.run, Some(last.id))? else {
        return Ok(None);
    };
    let same = match (to, attempt::load(stage.tx, last.id)?) {
        (Some(to), Some(attempt)) => attempt.agent == *to,
        (None, _) | (_, None) => true,
    };
    Ok((same && effect_lease::is_unheld(&asked, stage.now)).then_some(last.id))
}

/// The same for all tasks of the runs that are meant.
fn find_begun_attempts(
    stage: &mut UnitOfWork<'_, '_>,
    request: &DispatchAllRequest,
) -> Result<Vec<i64>, Error> {
    let mut found = Vec::new();
    for run in lookup::find_runs(stage.tx, request.run.as_ref())? {
        if run.ground.is_none() {
            continue;
        }
        for asked in effect::list_pending(stage.tx, Some(run.id))? {
            if asked.kind == EffectKind::Prepare && effect_lease::is_unheld(&asked, stage.now) {
                found.extend(asked.attempt.map(|attempt| attempt.0));
            }
        }
    }
    Ok(found)
}

fn task_name_of(session: &mut Session, id: AttemptId) -> Result<TaskName, Error> {
    session.read(|tx, _| {
        let attempt = attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
        Ok(attempt.name.task)
    })
}

/// Makes the attempt's worktree, if it is to have one, and tells what was dispatched.
fn finish_dispatch(session: &mut Session, id: AttemptId) -> Result<DispatchOutcome, Error> {
    let run = session
        .read(|tx, _| Ok(attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?.run))?;
    complete_effect(session, EffectKind::Prepare, run, Some(id))?;
    let dispatched = session.read(|tx, _| load_dispatch_outcome(tx, id))?;
    match &dispatched.attempt {
        // Another process was at it, and could not prepare it.
        Attempt { state: AttemptState::Failed, thread: None, name, reason, .. } => {
            let reason = reason.clone().unwrap_or_default();
            Err(TreeRefusal::NotPrepared { attempt: name.clone(), reason }.into())
        }
        _ => Ok(dispatched),
    }
}

/// An attempt that was dispatched, as it is now.
fn load_dispatch_outcome(tx: &mut Transaction<'_>, id: AttemptId) -> Result<DispatchOutcome, Error> {
    let attempt = attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
    let task =
        task_table::load(tx, attempt.task)?.ok_or_else(|| lookup::missing_row("task", attempt.task.0))?;
    let known = agent::load(tx, &attempt.agent)?;
    let thread = match attempt.thread {
        Some(id) => thread::load(tx, id)?.map(|thread| ThreadSummary { thread, question: None }),
        None => None,
    };
    Ok(DispatchOutcome {
        task: lookup::task_overview(tx, task)?,
        worktree: worktree::load(tx, id)?,
        thread,
        agent_seen: known.is_some_and(|agent| agent.last_seen_at.is_some()),
        attempt,
    })
}

/// What may be dispatched, in the order of the ready list, with more than the limit of each run: one run may be full,
/// and what is refused does not use the limit up, but is looked at only up to the length of a list.
fn dispatch_candidates(
    tx: &mut Transaction<'_>,
    request: &DispatchAllRequest,
    now: Time,
) -> Result<Vec<Task>, Error> {
    let mut runs = lookup::find_runs(tx, request.run.as_ref())?;
    runs.retain(|run| run.state.status() == RunStatus::Open);
    let wanted = request.limit.saturating_add(if request.limit == 0 { 0 } else { limit::LIST_DEFAULT });
    let mut tasks = Vec::new();
    for run in &runs {
        tasks.extend(task_table::list_ready(tx, run.id, None, now, wanted, 0)?);
    }
    if runs.len() > 1 {
        tasks.sort_by_key(ready::dispatch_order);
    }
    Ok(tasks)
}

/// The agents that share the work, with how much each has.
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

/// Makes an attempt at a task; its thread is sent at once, or in a run with worktrees as soon as its tree is there.
/// Returns the attempt's key and its agent.
fn create_attempt(
    stage: &mut UnitOfWork<'_, '_>,
    task: &Task,
    to: Option<&Slug>,
    bases: &AttemptBases,
) -> Result<(i64, Slug), Error> {
    let run = stage.load_run(task.run)?.clone();
    let agent = match decide::decide_dispatch(&run, task, to, stage.now) {
        Err(refusal) => return Err(explain_refusal(stage.tx, task, refusal)?.into()),
        Ok(agent) => agent,
    };
    agent::register_name(stage.tx, &agent, stage.now)?;
    let base = bases.confirm_base(stage.tx, &run, task)?;
    let text = task_table::load_text(stage.tx, task.id)?;
    let judged_by = AttemptText {
        run_verify: run.rules.verify.clone(),
        task_verify: text.verify.clone(),
        log_tail: None,
    };
    // Checks run in a worktree; without one nothing is checked.
    let checks =
        if base.is_none() || judged_by.has_no_checks() { ChecksStatus::None } else { ChecksStatus::Pending };
    let id = attempt::next_id(stage.tx)?;
    let after = decide::start_attempt(task, id, checks, stage.now);
    let number = after.attempt.map_or(1, |last| last.number);
    let name = AttemptName { task: task.name.clone(), number };
    let thread = match &base {
        Some(_) => None,
        None => Some(send_immediately(stage, &run, task, &text, &judged_by, &agent, (id, &name))?),
    };
    let new = attempt::NewAttemptRow { id, task, number, agent: &agent, thread, checks };
    attempt::insert(stage.tx, new, stage.now)?;
    run_table::add_usage(stage.tx, run.id, ResourceUsage { attempts: 1, ..ResourceUsage::default() })?;
    if !judged_by.has_no_checks() {
        attempt::save_text(stage.tx, id, &judged_by)?;
    }
    if let Some(base) = base {
        let slot = free_slot(&worktree::used_slots(stage.tx)?);
        worktree::insert(stage.tx, &base.plan_worktree(&run, id, &name, slot, stage.now)?)?;
        let lead = stage.who.clone().unwrap_or_else(|| agent.clone());
        effect_lease::request_worktree(stage.tx, run.id, id, &lead, stage.now)?;
    }
    let told = TransitionEvent {
        thread,
        data: vec![("agent", agent.to_string().into())],
        ..TransitionEvent::without_data(EventKind::Dispatched, "the lead dispatched it")
    };
    stage.apply_transition(task, &after, told)?;
    Ok((id.0, agent))
}

/// Sends the work of an attempt that has no worktree.
fn send_immediately(
    stage: &mut UnitOfWork<'_, '_>,
    run: &Run,
    task: &Task,
    text: &TaskText,
    judged_by: &AttemptText,
    agent: &Slug,
    (id, name): (AttemptId, &AttemptName),
) -> Result<ThreadId, Error> {
    let work = work_message::write_work_message(stage.tx, task, text, judged_by, name, None)?;
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: task.title.clone(),
        from: stage.who.clone().unwrap_or_else(|| agent.clone()),
        to: agent.clone(),
        priority: task.priority,
        lease_length: run.policy.lease,
        answer_after: run.policy.answer_after,
        reference: Some(AttemptReference { run: run.id, task: task.id, attempt: id }),
    };
    let (thread, _) = send::begin_thread(stage.tx, head, work.body, Some(work.payload), stage.now)?;
    Ok(thread.id)
}

/// Names the dependencies that a refusal is about.
pub(crate) fn explain_refusal(
    tx: &mut Transaction<'_>,
    task: &Task,
    refusal: Refusal,
) -> Result<Refusal, Error> {
    let Refusal::TaskNotReady { task: name, reasons } = refusal else { return Ok(refusal) };
    Ok(Refusal::TaskNotReady {
        task: name,
        reasons: explain_reasons(tx, task, reasons, limit::CAUSE_STEPS_MAX)?,
    })
}

/// Fills in which dependencies the reasons are about, and where they come from, looking so many steps back.
pub(crate) fn explain_reasons(
    tx: &mut Transaction<'_>,
    task: &Task,
    mut reasons: Vec<NotReadyReason>,
    cause_steps: usize,
) -> Result<Vec<NotReadyReason>, Error> {
    for reason in &mut reasons {
        match reason {
            NotReadyReason::WaitingDependency { on } => *on = dependency::waits_for(tx, task.id)?,
            NotReadyReason::DependencyFailed { on, root } => {
                *on = dependency::broken_keys(tx, task.id)?;
                *root = root_cause_of(tx, task.id, cause_steps)?;
            }
            NotReadyReason::Live { .. }
            | NotReadyReason::Backoff { .. }
            | NotReadyReason::RunPaused { .. }
            | NotReadyReason::Capacity { .. }
            | NotReadyReason::Question { .. }
            | NotReadyReason::Checks { .. }
            | NotReadyReason::Merge { .. }
            | NotReadyReason::MergeConflict { .. }
            | NotReadyReason::Budget { .. }
            | NotReadyReason::NoAgent
            | NotReadyReason::Unclaimed { .. }
            | NotReadyReason::Finished { .. }
            | NotReadyReason::Cancelled
            | NotReadyReason::RunCancelled { .. } => {}
        }
    }
    Ok(reasons)
}

/// The failed or cancelled task that a skipped one's state comes from, by the first way back.
pub(crate) fn root_cause_of(
    tx: &mut Transaction<'_>,
    skipped: TaskId,
    steps: usize,
) -> Result<Option<Slug>, Error> {
    let mut id = skipped;
    for _ in 0..steps {
        match dependency::worst_dependency(tx, id)? {
            Some((next, _, TaskState::Skipped)) => id = next,
            Some((_, key, _)) => return Ok(Some(key)),
            None => return Ok(None),
        }
    }
    Ok(None)
}
