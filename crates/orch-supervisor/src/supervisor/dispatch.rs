//! Dispatching the ready tasks of a run, as far as there are workers for them.

use std::collections::BTreeMap;

use orch_contract::ReasonView;
use orch_core::id::Slug;
use orch_core::refusal::NotReadyReason;
use orch_core::run::Run;
use orch_core::run::reserve::BudgetShortage;
use orch_core::task::{Task, TaskState};
use orch_inbox::{Error, Session};
use orch_scheduler::TaskSelector;
use orch_scheduler::dispatch::{self, DispatchAllRequest, DispatchRecipient};

use super::background::BackgroundWork;
use super::snapshot::{PassSnapshot, RunSnapshot};
use super::worker_pool::{SlotUsage, WorkerPool};

/// The recipient of a task.
enum TaskRecipient {
    /// A worker of this profile.
    Profile(Slug),
    /// An agent that this supervisor does not start.
    ExternalAgent(Slug),
}

/// Why the budget of a run allows no further attempt.
#[derive(Clone, Debug)]
pub(super) struct BudgetStop {
    pub run: Slug,
    pub message: String,
    pub next: Option<String>,
}

impl BudgetStop {
    fn new(task: &Task, shortage: BudgetShortage) -> Self {
        let reason = ReasonView::from_reason(&NotReadyReason::Budget(shortage), &task.name);
        Self {
            run: task.name.run.clone(),
            next: reason.next_commands().first().cloned(),
            message: format!("{}: {}", task.name, reason.message),
        }
    }
}

/// The dispatches of one pass in one run.
pub(super) struct RunDispatch<'a> {
    pool: &'a mut WorkerPool,
    snapshot: &'a PassSnapshot,
    run: &'a RunSnapshot,
    /// How many more attempts the budget and a shared folder allow; `None` for no limit.
    attempts_left: Option<i64>,
    /// How many more attempts each limited label allows.
    label_slots: BTreeMap<Slug, usize>,
}

impl<'a> RunDispatch<'a> {
    pub(super) fn plan(
        pool: &'a mut WorkerPool,
        snapshot: &'a PassSnapshot,
        run: &'a RunSnapshot,
        background: &BackgroundWork,
    ) -> Self {
        let mut label_slots = pool.labels.clone();
        let starting = run.ready.iter().filter(|task| background.is_dispatching(task.id));
        for label in run.active_labels.iter().chain(starting.flat_map(|task| &task.labels)) {
            label_slots.entry(label.clone()).and_modify(|left| *left = left.saturating_sub(1));
        }
        let under_way = i64::try_from(background.dispatch_count()).unwrap_or(i64::MAX);
        let attempts_left = run.run.budget.attempts_left(run.run.spent);
        let attempts_left = attempts_left.map(|left| left.saturating_sub(under_way));
        let attempts_left = [attempts_left, attempts_in_shared_folder(&run.run)].into_iter().flatten().min();
        Self { pool, snapshot, run, attempts_left, label_slots }
    }

    /// Dispatches the ready tasks; returns whether the store was changed.
    pub(super) fn dispatch_ready(
        mut self,
        session: &mut Session,
        usage: &mut SlotUsage,
        background: &mut BackgroundWork,
        who: &Slug,
    ) -> Result<(bool, Option<BudgetStop>), Error> {
        // What is set aside for an attempt that is being prepared is known once it is recorded.
        let is_deciding = background.dispatch_count() > 0 && self.run.run.budget.run.cost_micros.is_some();
        if self.run.waits_for_failed_operation() || is_deciding {
            return Ok((false, None));
        }
        let mut batch: BTreeMap<Slug, u32> = BTreeMap::new();
        let mut changed = false;
        let mut over_budget = None;
        let run = &self.run.run;
        let agents = self.pool.known_agents().clone();
        let mut facts = self.run.budget.clone();
        facts.reserves.free.clone_from(&agents.free);
        // Worktrees that are being made have their slots already.
        let mut slots_left = self.pool.workers.saturating_sub(background.dispatch_count() + usage.total());
        for task in &self.run.ready {
            if self.attempts_left.is_some_and(|left| left <= 0) {
                break;
            }
            if self.is_label_full(task) || self.snapshot.has_reporting_worker(task) {
                continue;
            }
            let Some(recipient) = self.choose_recipient(task, usage, slots_left) else { continue };
            let (to, ours) = match recipient {
                TaskRecipient::Profile(profile) => (profile, true),
                TaskRecipient::ExternalAgent(agent) => (agent, false),
            };
            if let Some(short) = facts.find_shortage(run, task, Some(&to), self.snapshot.now) {
                over_budget.get_or_insert_with(|| BudgetStop::new(task, short));
                continue;
            }
            if run.ground.is_some() {
                if !background.start_dispatch(task, to.clone(), agents.clone()) {
                    continue;
                }
            } else if !ours || task.agent.is_some() {
                dispatch_one(session, who, task, DispatchRecipient { to: Some(&to), agents: &agents })?;
                changed = true;
            } else {
                *batch.entry(to.clone()).or_default() += 1;
            }
            facts.reserves.add_live(&to);
            self.attempts_left = self.attempts_left.map(|left| left - 1);
            for label in &task.labels {
                self.label_slots.entry(label.clone()).and_modify(|left| *left = left.saturating_sub(1));
            }
            if ours {
                slots_left = slots_left.saturating_sub(1);
                usage.take_slot(to);
            }
        }
        // Tasks without a named agent are dispatched in one transaction per profile.
        for (to, count) in batch {
            let run = Some(run.name.clone());
            let all = DispatchAllRequest { run, to: vec![to], limit: count, agents: agents.clone() };
            dispatch::dispatch_all_ready(session, None, who, &all)?;
            changed = true;
        }
        // While an attempt is live, what it leaves may suffice later.
        let is_idle = !changed
            && background.dispatch_count() == 0
            && run.counts.active() + run.counts.in_state(TaskState::Reported) == 0;
        Ok((changed, over_budget.filter(|_| is_idle)))
    }

    /// Whether a label of a task allows no further attempt.
    fn is_label_full(&self, task: &Task) -> bool {
        task.labels.iter().any(|label| self.label_slots.get(label) == Some(&0))
    }

    /// Chooses the recipient of a task; `None` when no worker is free.
    fn choose_recipient(
        &mut self,
        task: &Task,
        usage: &SlotUsage,
        slots_left: usize,
    ) -> Option<TaskRecipient> {
        let snapshot = self.snapshot;
        let is_free = |profile: &Slug, limit: usize| {
            slots_left > 0 && usage.of_profile(profile) < limit && !snapshot.is_cooling_down(profile)
        };
        let Some(agent) = &task.agent else {
            let free = if slots_left > 0 { self.pool.choose_free_seat(usage, snapshot) } else { None };
            return free.map(TaskRecipient::Profile);
        };
        match self.pool.slots_for_profile(agent) {
            None => Some(TaskRecipient::ExternalAgent(agent.clone())),
            Some(slots) if is_free(agent, slots.limit) => Some(TaskRecipient::Profile(agent.clone())),
            Some(_) => None,
        }
    }
}

/// Returns how many more attempts may start in a folder that the workers of a run share.
///
/// They would overwrite each other's files, so one works at a time unless the run has a limit of its own.
fn attempts_in_shared_folder(run: &Run) -> Option<i64> {
    let is_shared = run.folder.is_some() && run.policy.max_active.is_none();
    is_shared.then(|| 1_i64.saturating_sub(run.counts.active()))
}

fn dispatch_one(
    session: &mut Session,
    who: &Slug,
    task: &Task,
    to: DispatchRecipient<'_>,
) -> Result<(), Error> {
    let selector = TaskSelector { run: Some(task.name.run.clone()), key: task.name.key.clone() };
    match dispatch::dispatch_task(session, None, who, &selector, to) {
        // Another process dispatched it first, or the run is at its limit.
        Ok(_) | Err(Error::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
