//! Dispatching the ready tasks of a run, as far as there are workers for them.

use std::collections::BTreeMap;

use orch_core::id::Slug;
use orch_core::run::Run;
use orch_core::task::Task;
use orch_inbox::{Error, Session};
use orch_scheduler::TaskSelector;
use orch_scheduler::dispatch::{self, DispatchAllRequest};

use super::background::BackgroundWork;
use super::budget_watch::BudgetWatch;
use super::snapshot::{PassSnapshot, RunSnapshot};
use super::worker_pool::{SlotUsage, WorkerPool};

/// The recipient of a task.
enum TaskRecipient {
    /// A worker of this profile.
    Profile(Slug),
    /// An agent that this supervisor does not start.
    ExternalAgent(Slug),
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
        (background, budgets): (&mut BackgroundWork, &mut BudgetWatch),
        who: &Slug,
    ) -> Result<bool, Error> {
        if self.run.waits_for_failed_operation() {
            return Ok(false);
        }
        let mut batch: BTreeMap<Slug, u32> = BTreeMap::new();
        let mut changed = false;
        let run = &self.run.run;
        // Worktrees that are being made have their slots already.
        let workers = self.pool.workers.saturating_sub(background.dispatch_count());
        let mut slots_left = workers.saturating_sub(usage.total());
        for task in &self.run.ready {
            if self.attempts_left.is_some_and(|left| left <= 0) {
                break;
            }
            if task.labels.iter().any(|label| self.label_slots.get(label) == Some(&0)) {
                continue;
            }
            let Some(recipient) = self.choose_recipient(task, usage, slots_left) else { continue };
            if task.attempt.is_some() && budgets.enforce_task_budget(session, run, task.id)? {
                return Ok(true);
            }
            let (to, ours) = match recipient {
                TaskRecipient::Profile(profile) => (profile, true),
                TaskRecipient::ExternalAgent(agent) => (agent, false),
            };
            if run.ground.is_some() {
                if !background.start_dispatch(task, to.clone()) {
                    continue;
                }
            } else if !ours || task.agent.is_some() {
                dispatch_one(session, who, task, &to)?;
                changed = true;
            } else {
                *batch.entry(to.clone()).or_default() += 1;
            }
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
            let all = DispatchAllRequest { run: Some(run.name.clone()), to: vec![to], limit: count };
            dispatch::dispatch_all_ready(session, None, who, &all)?;
            changed = true;
        }
        Ok(changed)
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

fn dispatch_one(session: &mut Session, who: &Slug, task: &Task, to: &Slug) -> Result<(), Error> {
    let selector = TaskSelector { run: Some(task.name.run.clone()), key: task.name.key.clone() };
    match dispatch::dispatch_task(session, None, who, &selector, Some(to)) {
        // Another process dispatched it first, or the run is at its limit.
        Ok(_) | Err(Error::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
