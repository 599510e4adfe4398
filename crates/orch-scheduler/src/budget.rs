//! Budgets: recording what attempts use, and what follows when a limit is near or reached.
//!
//! At the limit of an attempt or of its task, its worker is told, and its wrapper ends it. At the limit of a run,
//! its live attempts are recalled and it is paused. Before a dispatch `BudgetFacts` decide whether the budget
//! allows another attempt.

use std::collections::BTreeSet;

use orch_core::event::{EventDatum, EventKind, EventSubject};
use orch_core::id::{AttemptName, RunId, Slug, TaskId, ThreadId};
use orch_core::run::budget::{BudgetMeasure, LIMIT_REASON, LimitScope, LimitUsage};
use orch_core::run::reserve::{BudgetFacts, CostReserves};
use orch_core::run::{Budget, PauseReason, ResourceUsage, Run, RunStatus, decide};
use orch_core::task::TaskState;
use orch_core::thread::{AttemptReference, Thread};
use orch_core::time::{Time, TimeSpan};
use orch_store::Transaction;
use orch_store::table::usage::{self, UsageSubject, UsageSum};
use orch_store::table::{attempt, event, run as run_table, task as task_table};

use crate::lookup;
use crate::recall::recall_task;
use crate::tool_fault::set_run_offered;
use crate::unit_of_work::UnitOfWork;
use orch_inbox::{Error, send};

/// What one worker has used since its last record.
#[derive(Clone, Debug)]
pub struct UsageRecord<'a> {
    /// The attempt.
    pub attempt: &'a AttemptName,
    /// The worker's profile.
    pub profile: Option<&'a Slug>,
    /// The client's session.
    pub session: Option<&'a str>,
    /// What was used.
    pub more: UsageSum,
    /// Whether the worker has ended, so that its own attempt is neither told nor recalled.
    pub has_ended: bool,
}

/// What the limits say after usage was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetVerdict {
    /// The limit that ends the worker.
    pub reached: Option<LimitUsage>,
    /// The unused part of the tightest limit of cost, in millionths of a US dollar.
    pub cost_left: Option<i64>,
    /// The unused part of the tightest limit of tokens.
    pub tokens_left: Option<i64>,
    /// The unused part of the tightest limit of wall time of the attempt and its task.
    pub wall_left: Option<TimeSpan>,
    /// The threads of recalled attempts, whose workers must be stopped after the commit.
    pub recalled: Vec<ThreadId>,
}

impl BudgetVerdict {
    /// Takes the usage of a limit into account.
    fn note_limit(&mut self, limit: LimitUsage) {
        let tighter = |left: Option<i64>| Some(left.map_or(limit.left(), |known| known.min(limit.left())));
        match limit.measure {
            BudgetMeasure::Cost => self.cost_left = tighter(self.cost_left),
            BudgetMeasure::Tokens => self.tokens_left = tighter(self.tokens_left),
            BudgetMeasure::Wall if limit.scope != LimitScope::Run => {
                self.wall_left = tighter(self.wall_left.map(|span| span.0)).map(TimeSpan);
            }
            BudgetMeasure::Wall | BudgetMeasure::Attempts => {}
        }
    }
}

/// Records what a worker has used, and applies the limits of its attempt, its task and its run.
///
/// The caller commits, and then stops the workers of the recalled threads.
///
/// # Errors
/// The store failed.
pub fn record_usage(
    tx: &mut Transaction<'_>,
    thread: &Thread,
    record: &UsageRecord<'_>,
    now: Time,
) -> Result<BudgetVerdict, Error> {
    let Some(reference) = thread.head.reference else { return Ok(BudgetVerdict::default()) };
    let Some(before) = run_table::load(tx, reference.run)? else { return Ok(BudgetVerdict::default()) };
    let subject = UsageSubject {
        thread: thread.id,
        run_id: reference.run,
        run: &record.attempt.task.run,
        task: &record.attempt.task.key,
        agent: &thread.head.to,
        profile: record.profile,
        session: record.session,
    };
    usage::add_entry(tx, &subject, &record.more, now)?;
    let more = ResourceUsage { attempts: 0, ..record.more.spent };
    if more != ResourceUsage::default() {
        run_table::add_usage(tx, reference.run, more)?;
        task_table::add_usage(tx, reference.task, more)?;
    }
    if before.budget == Budget::default() {
        return Ok(BudgetVerdict::default());
    }
    let limits = load_limits(tx, thread.id, reference, &before, more, now)?;
    apply_limits(tx, thread, reference, &limits, record, now)
}

/// Loads the usage of every limit that concerns an attempt, its own limits first.
fn load_limits(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    reference: AttemptReference,
    run: &Run,
    more: ResourceUsage,
    now: Time,
) -> Result<Vec<LimitUsage>, Error> {
    let budget = &run.budget;
    let mut limits = Vec::new();
    if budget.attempt.is_limited() {
        let used = usage::list_by_threads(tx, &[thread])?.pop().map(|(_, sum)| sum).unwrap_or_default();
        limits.extend(budget.attempt.usage(LimitScope::Attempt, used.spent, used.wall));
    }
    if budget.task.is_limited() {
        let (spent, wall) = task_table::load_usage(tx, reference.task, now)?;
        limits.extend(budget.task.usage(LimitScope::Task, spent, wall));
    }
    // The supervisor watches the wall time of a run, and a dispatch its attempts.
    let of_run = budget.run.usage(LimitScope::Run, run.spent.plus(more), TimeSpan(0));
    limits.extend(of_run.filter(|limit| limit.measure != BudgetMeasure::Wall));
    Ok(limits)
}

/// Warns of limits that became near, tells the worker of one that is reached, and ends what a run's limit ends.
fn apply_limits(
    tx: &mut Transaction<'_>,
    thread: &Thread,
    reference: AttemptReference,
    limits: &[LimitUsage],
    record: &UsageRecord<'_>,
    now: Time,
) -> Result<BudgetVerdict, Error> {
    let mut verdict = BudgetVerdict::default();
    limits.iter().for_each(|limit| verdict.note_limit(*limit));
    let near: Vec<LimitUsage> = limits
        .iter()
        .filter(|limit| limit.has_become_near(limit.used - added(**limit, &record.more)))
        .copied()
        .collect();
    verdict.reached = limits.iter().find(|limit| limit.is_over()).copied();
    if near.is_empty() && verdict.reached.is_none() {
        return Ok(verdict);
    }
    let run_limit = limits.iter().find(|limit| limit.scope == LimitScope::Run && limit.is_over());
    // Recalling an attempt needs to know what its worker has said.
    let mut unit = match run_limit {
        Some(_) => UnitOfWork::begin_reconciled(tx, now, None)?,
        None => UnitOfWork::begin(tx, now),
    };
    for limit in near {
        let about = match limit.scope {
            LimitScope::Run => EventSubject::of_run(reference.run),
            LimitScope::Task => {
                EventSubject { task: Some(reference.task), ..EventSubject::of_run(reference.run) }
            }
            LimitScope::Attempt => EventSubject {
                task: Some(reference.task),
                attempt: Some(reference.attempt),
                thread: Some(thread.id),
                ..EventSubject::of_run(reference.run)
            },
        };
        unit.append_event(EventKind::BudgetWarning, about, None, warning_data(limit))?;
    }
    if let Some(limit) = run_limit {
        let spared = record.has_ended.then_some(thread.id);
        pause_over_budget(&mut unit, reference.run, *limit, spared)?;
    } else if let Some(limit) =
        verdict.reached.filter(|_| !record.has_ended && !thread.state.status().is_closed())
    {
        let text = format!(
            "The {} has used {limit}, which is its limit. This worker is being ended; its work is kept.",
            limit.scope.name()
        );
        let worker = thread.working_agent().clone();
        send::add_note(unit.tx, thread.clone(), &thread.head.from, Some(&worker), &text, None, now)?;
    }
    verdict.recalled = unit.save_and_close()?;
    Ok(verdict)
}

/// Returns how much a record adds to a limit.
fn added(limit: LimitUsage, more: &UsageSum) -> i64 {
    match limit.measure {
        BudgetMeasure::Cost => more.spent.known_cost(),
        BudgetMeasure::Tokens => more.spent.known_tokens(),
        BudgetMeasure::Wall => more.wall.0,
        BudgetMeasure::Attempts => 0,
    }
}

fn warning_data(limit: LimitUsage) -> Vec<(&'static str, EventDatum)> {
    vec![
        ("scope", limit.scope.name().into()),
        ("measure", limit.measure.name().into()),
        ("used", limit.used.into()),
        ("max", limit.max.into()),
        ("message", limit.to_string().into()),
    ]
}

/// Pauses a run that has reached a limit, and recalls its live attempts; a reported attempt has no worker and stays.
fn pause_over_budget(
    unit: &mut UnitOfWork<'_, '_>,
    run: RunId,
    limit: LimitUsage,
    spared: Option<ThreadId>,
) -> Result<(), Error> {
    let message = format!("it has used {limit}");
    let current = unit.load_run(run)?.clone();
    let Some(paused) = decide::pause_automatically(&current, PauseReason::Budget, &message, unit.now) else {
        return Ok(());
    };
    unit.replace_run(paused);
    let mut data = vec![("reason", EventDatum::from("budget"))];
    data.extend(warning_data(limit));
    unit.append_event(EventKind::RunPaused, EventSubject::of_run(run), None, data)?;
    for live in attempt::list_live(unit.tx, run, u32::MAX)? {
        let task = unit.load_task(live.task)?;
        let has_worker =
            matches!(task.state, TaskState::Dispatched | TaskState::Running | TaskState::Blocked);
        if has_worker && (spared.is_none() || live.thread != spared) {
            recall_task(unit, &task, Some(&format!("{LIMIT_REASON}the run has used {limit}")))?;
        }
    }
    set_run_offered(unit, run, false)
}

/// Applies the limits of a run that no worker's usage reaches: its wall time, its attempts, and lowered ones.
///
/// Returns whether the run was paused.
///
/// # Errors
/// The store failed.
pub fn enforce_run_limits(unit: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<bool, Error> {
    let current = unit.load_run(run)?.clone();
    if current.state.status() != RunStatus::Open {
        return Ok(false);
    }
    for limit in current.budget.run_usage(current.spent, unit.now - current.created_at) {
        // The limit of attempts matters only when another attempt is wanted.
        let matters =
            limit.measure != BudgetMeasure::Attempts || current.counts.in_state(TaskState::Ready) > 0;
        if !matters {
            continue;
        }
        if limit.is_over() {
            match limit.measure {
                // Attempts that live already are within the limit.
                BudgetMeasure::Attempts if has_live_attempt(&current) => continue,
                BudgetMeasure::Attempts
                | BudgetMeasure::Wall
                | BudgetMeasure::Cost
                | BudgetMeasure::Tokens => {}
            }
            pause_over_budget(unit, run, limit, None)?;
            return Ok(true);
        }
        if limit.is_near() && !was_warned(unit.tx, run, limit)? {
            let about = EventSubject::of_run(run);
            unit.append_event(EventKind::BudgetWarning, about, None, warning_data(limit))?;
        }
    }
    Ok(false)
}

fn has_live_attempt(run: &Run) -> bool {
    run.counts.active() + run.counts.in_state(TaskState::Reported) > 0
}

/// Returns the limit of its run or its task that is reached, so that an attempt must not begin now.
///
/// The attempt itself was counted when it was dispatched.
///
/// # Errors
/// The store failed.
pub(crate) fn find_reached_limit(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: TaskId,
    now: Time,
) -> Result<Option<LimitUsage>, Error> {
    let of_run = run.budget.run.usage(LimitScope::Run, run.spent, now - run.created_at);
    let mut reached = of_run.filter(|limit| limit.is_over());
    if let Some(limit) = reached.next() {
        return Ok(Some(limit));
    }
    if !run.budget.task.is_limited() {
        return Ok(None);
    }
    let (spent, wall) = task_table::load_usage(tx, task, now)?;
    Ok(run.budget.task.usage(LimitScope::Task, spent, wall).find(|limit| limit.is_over()))
}

/// Returns whether an event has warned of this limit of a run.
fn was_warned(tx: &mut Transaction<'_>, run: RunId, limit: LimitUsage) -> Result<bool, Error> {
    let warned = event::last_of_kind(tx, run, EventKind::BudgetWarning)?;
    let known = warned.iter().filter_map(|event| serde_json::from_str::<serde_json::Value>(&event.data).ok());
    let mut same = known.filter(|data| {
        data["scope"] == limit.scope.name()
            && data["measure"] == limit.measure.name()
            && data["max"] == limit.max
    });
    Ok(same.next().is_some())
}

/// Loads what a run's budget depends on before an attempt is dispatched; nothing where it has no limits.
///
/// `free` names the agents that cost nothing.
///
/// # Errors
/// The store failed.
pub fn load_budget_facts(
    tx: &mut Transaction<'_>,
    run: &Run,
    free: &BTreeSet<Slug>,
    now: Time,
) -> Result<BudgetFacts, Error> {
    let mut facts = BudgetFacts::default();
    if run.budget.task.is_limited() && run.counts.in_state(TaskState::Ready) > 0 {
        let used = task_table::list_ready_usage(tx, run.id, now)?.into_iter();
        facts.tasks = used.map(|(task, spent, wall)| (task, (spent, wall))).collect();
    }
    if run.budget.run.cost_micros.is_some() {
        facts.reserves = load_reserves(tx, run.id, free)?;
    }
    Ok(facts)
}

fn load_reserves(tx: &mut Transaction<'_>, run: RunId, free: &BTreeSet<Slug>) -> Result<CostReserves, Error> {
    let mut reserves = CostReserves { free: free.clone(), ..CostReserves::default() };
    for (agent, dearest, unknown) in usage::list_ended_costs(tx, run)? {
        reserves.dearest.extend(dearest.map(|cost| (agent.clone(), cost)));
        if unknown > 0 {
            reserves.unknown.insert(agent, unknown);
        }
    }
    let live = usage::list_live_costs(tx, run)?;
    reserves.live = live.into_iter().map(|(agent, cost, _)| (agent, cost)).collect();
    Ok(reserves)
}

/// Returns what the live attempt of a thread may still spend, in millionths of a US dollar; `None` without a limit.
///
/// # Errors
/// The store failed.
pub fn load_allowance(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    reference: AttemptReference,
    now: Time,
) -> Result<Option<i64>, Error> {
    let run = lookup::load_run(tx, reference.run)?;
    if !run.budget.limits_cost() {
        return Ok(None);
    }
    let limits = load_limits(tx, thread, reference, &run, ResourceUsage::default(), now)?;
    let of_own =
        limits.iter().filter(|limit| limit.measure == BudgetMeasure::Cost && limit.scope != LimitScope::Run);
    let own = of_own.map(|limit| limit.left()).min();
    let mut of_run = None;
    if run.budget.run.cost_micros.is_some() {
        let reserves = load_reserves(tx, run.id, &BTreeSet::new())?;
        let live = usage::list_live_costs(tx, run.id)?;
        let position = live.iter().position(|(_, _, found)| *found == Some(thread));
        let position = position.unwrap_or(usize::MAX);
        of_run = reserves.allowance(&run.budget, run.spent.known_cost(), position);
    }
    Ok([own, of_run].into_iter().flatten().min())
}
