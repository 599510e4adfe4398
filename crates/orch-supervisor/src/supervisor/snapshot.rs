//! The state of the store at the beginning of a pass, read in one transaction.
//!
//! The number of statements depends on the number of runs, and not on the number of tasks or live workers.

use std::collections::BTreeSet;

use orch_core::cooldown::ProfileCooldown;
use orch_core::effect::{EffectKind, PendingEffect};
use orch_core::event::Event;
use orch_core::id::{EventId, Slug, TaskId, ThreadId};
use orch_core::limit;
use orch_core::operation_failure::{self, StuckScope};
use orch_core::run::reserve::BudgetFacts;
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::thread::ThreadStatus;
use orch_core::time::Time;
use orch_inbox::{Error, Session};
use orch_scheduler::budget::load_budget_facts;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::perform::effect_lease;
use orch_scheduler::review;
use orch_store::Transaction;
use orch_store::table::profile_cooldown;
use orch_store::table::worker::{self, LiveWorker};
use orch_store::table::{effect, event, task as task_table, thread};

use super::scope::DriveScope;

/// The largest number of events that one pass reports per run.
const EVENTS_MAX: u32 = 10_000;

/// The options of a snapshot that depend on the supervisor's configuration.
#[derive(Clone, Copy)]
pub(super) struct SnapshotOptions {
    /// Whether new attempts may be dispatched, so ready tasks are needed.
    pub starts: bool,
    /// The largest number of workers.
    pub workers: usize,
    /// Whether labels limit the attempts, so the labels of active tasks are needed.
    pub limits_labels: bool,
}

/// The state of the store at the beginning of a pass.
pub(super) struct PassSnapshot {
    pub now: Time,
    pub runs: Vec<RunSnapshot>,
    /// The live workers of all runs, including runs of other supervisors.
    pub live: Vec<LiveWorker>,
    pub cooldowns: Vec<ProfileCooldown>,
    /// The next expiry of a lease or due time of a default answer.
    pub next_timer: Option<Time>,
    /// New events, in order within each run.
    pub events: Vec<Event>,
}

/// The state of one run.
pub(super) struct RunSnapshot {
    pub run: Run,
    /// Effects that no process performs.
    pub pending_effects: Vec<PendingEffect>,
    /// The threads of dispatched attempts that no worker has claimed, with the agent they were sent to.
    pub unclaimed: Vec<(ThreadId, Slug)>,
    pub ready: Vec<Task>,
    /// Tasks whose attempt was reported.
    pub reported: Vec<Task>,
    /// The labels of active tasks, each as often as it occurs.
    pub active_labels: Vec<Slug>,
    /// What the budget depends on, where tasks are ready.
    pub budget: BudgetFacts,
    /// When the first delayed retry is due.
    pub next_retry: Option<Time>,
}

impl PassSnapshot {
    /// Reconciles the store if necessary, and reads its state.
    pub(super) fn load(
        session: &mut Session,
        scope: &DriveScope,
        after: EventId,
        options: SnapshotOptions,
    ) -> Result<Self, Error> {
        read_fresh(session, |tx, now| {
            let runs = scope.load_runs(tx)?;
            let mut effects = effect::list_pending(tx, None)?;
            effects.retain(|effect| effect_lease::is_unheld(effect, now));
            let mut events = Vec::new();
            for run in &runs {
                events.extend(event::list_by_run(tx, run.id, after, EVENTS_MAX)?);
            }
            let mut snapshots = Vec::with_capacity(runs.len());
            for run in runs {
                let (own, others) =
                    effects.into_iter().partition(|effect: &PendingEffect| effect.run == run.id);
                effects = others;
                snapshots.push(RunSnapshot::load(tx, now, run, own, options)?);
            }
            Ok(Self {
                now,
                runs: snapshots,
                live: worker::list_live_with_threads(tx)?,
                cooldowns: profile_cooldown::list_all(tx)?,
                // A timer that is already due does not hide a later one.
                next_timer: thread::next_timer(tx)?.filter(|at| *at > now),
                events,
            })
        })
    }

    /// Returns the live workers of a run.
    pub(super) fn live_of<'a>(&'a self, run: &Run) -> impl Iterator<Item = &'a LiveWorker> {
        let id = run.id;
        self.live.iter().filter(move |live| live.run == Some(id))
    }

    /// Whether no worker of a profile may be started now.
    pub(super) fn is_cooling_down(&self, profile: &Slug) -> bool {
        let mut active = self.active_cooldowns();
        active.any(|cooldown| cooldown.profile == *profile)
    }

    /// Returns the cooldowns that are not over.
    pub(super) fn active_cooldowns(&self) -> impl Iterator<Item = &ProfileCooldown> {
        self.cooldowns.iter().filter(|cooldown| cooldown.is_active(self.now))
    }

    /// Whether a thread is dispatched and not yet claimed.
    pub(super) fn is_unclaimed(&self, thread: ThreadId) -> bool {
        self.runs.iter().flat_map(|run| &run.unclaimed).any(|(unclaimed, _)| *unclaimed == thread)
    }

    /// Returns the threads of all live workers.
    pub(super) fn live_threads(&self) -> BTreeSet<ThreadId> {
        self.live.iter().map(|live| live.worker.thread).collect()
    }
}

impl PassSnapshot {
    /// Whether the worker that reported the last attempt at a task has not ended yet, so that its session cannot be
    /// resumed now. Its wrapper ends it in a bounded time after its report.
    pub(super) fn has_reporting_worker(&self, task: &Task) -> bool {
        self.live.iter().any(|live| live.task == Some(task.id) && live.status == ThreadStatus::Done)
    }
}

/// Whether a worker waits for an answer, without a process.
pub(super) fn is_waiting(live: &LiveWorker) -> bool {
    live.status == ThreadStatus::Blocked
}

impl RunSnapshot {
    /// Whether a task of the run waits for an operation that is not tried again by itself.
    pub(super) fn waits_for_stuck_operation(&self) -> bool {
        self.run.state.status().is_unfinished()
            && self.pending_effects.iter().any(|pending| {
                pending.retries.is_stuck()
                    && operation_failure::stuck_scope(pending.effect.kind()) != StuckScope::Nothing
            })
    }

    /// Whether an operation that every dispatch needs has failed, and is tried again before any dispatch.
    pub(super) fn waits_for_failed_operation(&self) -> bool {
        let needed = |kind| matches!(kind, EffectKind::Branch | EffectKind::Baseline);
        let mut pending = self.pending_effects.iter();
        pending.any(|pending| needed(pending.effect.kind()) && pending.retries.last.is_some())
    }

    fn load(
        tx: &mut Transaction<'_>,
        now: Time,
        run: Run,
        pending_effects: Vec<PendingEffect>,
        options: SnapshotOptions,
    ) -> Result<Self, Error> {
        let mut found = Self {
            pending_effects,
            unclaimed: Vec::new(),
            ready: Vec::new(),
            reported: Vec::new(),
            active_labels: Vec::new(),
            budget: BudgetFacts::default(),
            next_retry: None,
            run,
        };
        let run = &found.run;
        if !run.state.status().is_unfinished() {
            return Ok(found);
        }
        if run.counts.in_state(TaskState::Dispatched) > 0 {
            let mut threads = thread::list_queued_by_run(tx, run.id)?;
            threads.retain(|thread| !thread.withdrawn);
            found.unclaimed = threads.into_iter().map(|thread| (thread.id, thread.head.to)).collect();
        }
        if run.counts.in_state(TaskState::Ready) > 0 {
            if options.starts && run.state.status() == RunStatus::Open {
                // Tasks that are not for our workers must not hide those that are.
                let wanted = u32::try_from(options.workers).unwrap_or(u32::MAX);
                let wanted = wanted.saturating_add(limit::LIST_DEFAULT);
                found.ready = task_table::list_ready(tx, run.id, None, now, wanted, None)?;
                found.budget = load_budget_facts(tx, run, &BTreeSet::new(), now)?;
            }
            found.next_retry = task_table::next_retry_time(tx, run.id, now)?;
        }
        if run.ground.is_some() && run.counts.in_state(TaskState::Reported) > 0 {
            found.reported = list_in_state(tx, run, TaskState::Reported)?;
            // Those that wait for a task or a person are not merged now.
            let conflicting = review::list_conflicting_attempts(tx, run.id)?;
            let reviewed = review::list_open_reviews(tx, run.id)?;
            found.reported.retain(|task| {
                !task.attempt.is_some_and(|last| conflicting.contains(&last.id))
                    && !reviewed.iter().any(|event| event.task.as_ref() == Some(&task.name))
            });
        }
        if options.limits_labels && run.counts.active() > 0 {
            for state in [TaskState::Dispatched, TaskState::Running, TaskState::Blocked] {
                let tasks = list_in_state(tx, run, state)?;
                found.active_labels.extend(tasks.into_iter().flat_map(|task| task.labels));
            }
        }
        Ok(found)
    }
}

fn list_in_state(tx: &mut Transaction<'_>, run: &Run, state: TaskState) -> Result<Vec<Task>, Error> {
    Ok(task_table::list_in_state(tx, run.id, state, TaskId(0), limit::LIST_DEFAULT)?)
}
