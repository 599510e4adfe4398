//! Applies the state of threads to the attempts that own them and to their tasks.

use std::collections::HashMap;

use orch_core::attempt::state::AttemptEvent;
use orch_core::attempt::{Attempt, AttemptState};
use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{AttemptId, MessageId, Slug, TaskId, ThreadId};
use orch_core::message::Message;
use orch_core::reconcile::{ThreadObservation, plan_attempt_steps};
use orch_core::run::{DoneWhen, RunStatus};
use orch_core::task::decide::{self, UnsuccessfulEnd};
use orch_core::task::state::TaskEvent;
use orch_core::task::{Task, TaskState};
use orch_core::thread::condition::ClosingSnapshot;
use orch_core::thread::{Thread, ThreadState, decide as thread_decide};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{agent, attempt, message, thread, thread_condition, worker, worktree};

use crate::review;
use crate::task_end::cancel_task;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use orch_inbox::{Error, cancel, close, liveness, reply};

impl<'a, 't> UnitOfWork<'a, 't> {
    /// Begins a unit of work by an agent, or by the tool itself.
    ///
    /// The store is reconciled first, as if in a transaction of its own.
    pub(crate) fn begin_reconciled(
        tx: &'a mut Transaction<'t>,
        now: Time,
        actor: Option<&Slug>,
    ) -> Result<Self, Error> {
        let mut unit = Self::begin(tx, now);
        unit.reconciles = true;
        reconcile_store(&mut unit)?;
        unit.reconciles = false;
        unit.save_runs()?;
        if let Some(actor) = actor {
            agent::record_sighting(unit.tx, actor, now)?;
        }
        unit.who = actor.cloned();
        Ok(unit)
    }
}

/// Applies due default answers, changed threads and lost leases.
fn reconcile_store(unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
    let pending = unit.tx.timers()?.pending(unit.now);
    if pending.defaults {
        for due in thread::list_due_defaults(unit.tx, unit.now)? {
            reply::apply_due_default(unit.tx, due, unit.now)?;
        }
    }
    let mut threads = Vec::new();
    // A default answer makes its thread dirty, and begins a lease that may be lost already.
    if pending.threads || pending.defaults {
        threads = thread::list_dirty(unit.tx)?;
    }
    if pending.lapsed || pending.defaults {
        let lapsed = thread::list_owned_lapsed(unit.tx, unit.now)?;
        threads.extend(
            lapsed
                .into_iter()
                .filter(|lapsed| !threads.iter().any(|known| known.id == lapsed.id))
                .collect::<Vec<_>>(),
        );
    }
    reconcile_threads(unit, &threads)
}

/// Applies the state of some threads.
pub(crate) fn reconcile_threads(unit: &mut UnitOfWork<'_, '_>, threads: &[Thread]) -> Result<(), Error> {
    if threads.is_empty() {
        return Ok(());
    }
    let ids: Vec<ThreadId> = threads.iter().map(|thread| thread.id).collect();
    thread::clear_dirty_many(unit.tx, &ids)?;
    let mut facts = ThreadFacts::load(unit.tx, threads)?;
    let tasks: Vec<TaskId> = facts.attempts.values().map(|attempt| attempt.task).collect();
    unit.cache_tasks(&tasks)?;
    for thread in threads {
        reconcile_thread(unit, thread, &mut facts)?;
    }
    unit.save_tasks()
}

/// What is known of the attempts that own some threads, loaded in a constant number of statements.
struct ThreadFacts {
    attempts: HashMap<AttemptId, Attempt>,
    workers: HashMap<ThreadId, Worker>,
    closings: HashMap<MessageId, Message>,
    snapshots: HashMap<ThreadId, ClosingSnapshot>,
    worktrees: HashMap<AttemptId, Worktree>,
}

impl ThreadFacts {
    fn load(tx: &mut Transaction<'_>, threads: &[Thread]) -> Result<Self, Error> {
        let ids: Vec<ThreadId> = threads.iter().map(|thread| thread.id).collect();
        let attempts: Vec<AttemptId> =
            threads.iter().filter_map(|thread| thread.head.reference).map(|owner| owner.attempt).collect();
        let closings: Vec<MessageId> = threads.iter().filter_map(closing_message).collect();
        let attempts = attempt::load_many(tx, &attempts)?;
        let attempts: HashMap<_, _> = attempts.into_iter().map(|attempt| (attempt.id, attempt)).collect();
        let workers =
            worker::load_many(tx, &ids)?.into_iter().map(|worker| (worker.thread, worker)).collect();
        let (mut messages, mut snapshots, mut worktrees) = (Vec::new(), Vec::new(), Vec::new());
        if !closings.is_empty() {
            messages = message::load_many(tx, &closings)?;
            snapshots = thread_condition::load_snapshots(tx, &ids)?;
        }
        if !snapshots.is_empty() {
            worktrees = worktree::load_many(tx, &attempts.keys().copied().collect::<Vec<_>>())?;
        }
        Ok(Self {
            attempts,
            workers,
            closings: messages.into_iter().map(|message| (message.id, message)).collect(),
            snapshots: snapshots.into_iter().collect(),
            worktrees: worktrees.into_iter().map(|tree| (tree.attempt, tree)).collect(),
        })
    }
}

/// Returns the message that closed a thread.
fn closing_message(thread: &Thread) -> Option<MessageId> {
    match &thread.state {
        ThreadState::Done(closing) | ThreadState::Failed(closing) => Some(closing.message),
        ThreadState::Queued
        | ThreadState::Claimed { .. }
        | ThreadState::Blocked { .. }
        | ThreadState::Cancelled => None,
    }
}

/// Brings the attempt that owns a thread, and its task, to the state that the thread shows.
fn reconcile_thread(
    unit: &mut UnitOfWork<'_, '_>,
    thread: &Thread,
    facts: &mut ThreadFacts,
) -> Result<(), Error> {
    let Some(owner) = thread.head.reference else { return Ok(()) };
    let Some(attempt) = facts.attempts.get(&owner.attempt).cloned() else { return Ok(()) };
    if !decide::is_under_way(&attempt) {
        return Ok(());
    }
    let worker = facts.workers.get(&thread.id);
    let released = thread.releases.saturating_sub(attempt.releases);
    let is_lost = thread_decide::running_lease(thread).is_some_and(|lease| lease.is_lost(unit.now));
    let lease_lost = is_lost && !worker.is_some_and(liveness::is_kept_alive);
    let observation = ThreadObservation { status: thread.state.status(), lease_lost, released };
    let events = plan_attempt_steps(attempt.state, observation);
    let is_forgiven =
        worker.and_then(|worker| worker.end.as_ref()).is_some_and(|end| end.outcome.is_forgiven());
    let closing = closing_message(thread).and_then(|id| facts.closings.remove(&id));
    let tree = facts.snapshots.remove(&thread.id).zip(facts.worktrees.remove(&attempt.id));
    let task = unit.load_task(attempt.task)?;
    let mut walk = AttemptReconciler { task, attempt, thread, closing, closing_tree: tree };
    walk.attempt.releases = thread.releases;
    if released > 0 && !is_forgiven && walk.count_releases(unit, released)? {
        return walk.end_unasked(unit, UnsuccessfulEnd::Released, "it was given back too often");
    }
    for event in events {
        walk.apply_event(unit, event)?;
    }
    attempt::save(unit.tx, &walk.attempt)?;
    walk.update_offer(unit)
}

/// Ends the attempt of a claimed thread in place of its holder, who has ended or is at a limit.
///
/// # Errors
/// The store failed.
pub fn end_held_thread(
    unit: &mut UnitOfWork<'_, '_>,
    id: ThreadId,
    end: UnsuccessfulEnd,
    reason: &str,
) -> Result<(), Error> {
    let Some(thread) = thread::load(unit.tx, id)? else { return Ok(()) };
    if thread.state.hold().is_none() {
        return Ok(());
    }
    let Some(owner) = thread.head.reference else { return Ok(()) };
    let Some(attempt) = attempt::load(unit.tx, owner.attempt)? else { return Ok(()) };
    if !decide::is_under_way(&attempt) || attempt.state == AttemptState::Reported {
        return Ok(());
    }
    let task = unit.load_task(attempt.task)?;
    AttemptReconciler { task, attempt, thread: &thread, closing: None, closing_tree: None }
        .end_unasked(unit, end, reason)
}

/// An attempt on its way to the state that its thread shows.
struct AttemptReconciler<'a> {
    task: Task,
    attempt: Attempt,
    thread: &'a Thread,
    /// The message that closed the thread.
    closing: Option<Message>,
    /// The state of the worktree when the thread was closed.
    closing_tree: Option<(ClosingSnapshot, Worktree)>,
}

impl AttemptReconciler<'_> {
    fn apply_event(&mut self, unit: &mut UnitOfWork<'_, '_>, event: AttemptEvent) -> Result<(), Error> {
        let (task_event, kind, reason) = match event {
            AttemptEvent::Claim => {
                self.attempt.agent = self.thread.working_agent().clone();
                (TaskEvent::Claim, EventKind::Running, "its work was claimed")
            }
            AttemptEvent::Ask => (TaskEvent::Ask, EventKind::Blocked, "its worker asked"),
            AttemptEvent::Answer => {
                let is_answered = self.thread.answered.is_some();
                let reason =
                    if is_answered { "its question was answered" } else { "its question was withdrawn" };
                (TaskEvent::Answer, EventKind::Running, reason)
            }
            AttemptEvent::Release => {
                self.attempt.agent = self.thread.head.to.clone();
                (TaskEvent::Release, EventKind::Requeued, "its worker gave it back")
            }
            AttemptEvent::Report => return self.apply_report(unit),
            AttemptEvent::Fail => return self.apply_failure(unit),
            AttemptEvent::Lose => return self.end_unasked(unit, UnsuccessfulEnd::Lost, "its lease was lost"),
            AttemptEvent::Cancel => return self.apply_cancellation(unit),
            AttemptEvent::Send
            | AttemptEvent::Accept
            | AttemptEvent::Reject
            | AttemptEvent::Recall
            | AttemptEvent::Reopen => {
                unreachable!("a thread never shows {}", event.name())
            }
        };
        self.move_attempt_and_task(unit, event, task_event, kind, reason)
    }

    fn move_attempt_and_task(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        attempt_event: AttemptEvent,
        task_event: TaskEvent,
        kind: EventKind,
        reason: &str,
    ) -> Result<(), Error> {
        self.attempt = decide::apply_attempt_event(&self.attempt, attempt_event, self.ended_at(unit.now));
        let after = decide::apply_task_event(&self.task, task_event, unit.now);
        self.move_task_to(unit, after, kind, reason, Vec::new())
    }

    fn move_task_to(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        after: Task,
        kind: EventKind,
        reason: &str,
        data: Vec<(&'static str, EventDatum)>,
    ) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.task, after);
        let agent = Some(self.attempt.agent.clone());
        let reason = reason.to_owned();
        let event = TransitionEvent { kind, thread: Some(self.thread.id), agent, reason, data };
        unit.apply_transition(&before, &self.task, event)
    }

    /// Applies a report of success, which completes the task where nothing has to be checked or merged.
    fn apply_report(&mut self, unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        self.record_outcome();
        self.move_attempt_and_task(
            unit,
            AttemptEvent::Report,
            TaskEvent::Report,
            EventKind::Reported,
            "its worker said that it is done",
        )?;
        if let Some((found, tree)) = self.closing_tree.take() {
            let (head, changes, updated_at) = (Some(found.head), found.changes, unit.now);
            worktree::save(unit.tx, &Worktree { head, changes, updated_at, ..tree })?;
        }
        let run = unit.load_run(self.task.run)?;
        let (done_when, protected) = (run.policy.done_when, !run.rules.protect.is_empty());
        if !decide::is_done_by_report(done_when, self.attempt.checks, protected)
            || review::waits_for_review(unit, &self.attempt, false)?
        {
            return Ok(());
        }
        let reason = match done_when {
            DoneWhen::Reported => "reported is done in this run",
            DoneWhen::Verified | DoneWhen::Integrated => "there is nothing to check",
        };
        self.move_attempt_and_task(unit, AttemptEvent::Accept, TaskEvent::Accept, EventKind::Done, reason)
    }

    fn apply_failure(&mut self, unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        self.record_outcome();
        let payload = self.closing.as_ref().and_then(|message| message.content.extra.payload.as_deref());
        let last = payload == Some(close::LAST);
        let at = self.ended_at(unit.now);
        self.attempt = decide::apply_attempt_event(&self.attempt, AttemptEvent::Fail, at);
        let end = UnsuccessfulEnd::Failed { last, at };
        self.end_unsuccessful(unit, end, EventKind::Failed, "its worker gave up")
    }

    /// Returns when the attempt ended: at its worker's closing message, which may be older than this transaction.
    fn ended_at(&self, now: Time) -> Time {
        self.attempt.outcome.and(self.closing.as_ref()).map_or(now, |message| message.created_at)
    }

    /// Ends the attempt and its thread in place of its worker.
    fn end_unasked(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        end: UnsuccessfulEnd,
        reason: &str,
    ) -> Result<(), Error> {
        let (event, kind) = match end {
            UnsuccessfulEnd::Failed { .. } => (AttemptEvent::Fail, EventKind::Failed),
            UnsuccessfulEnd::Lost
            | UnsuccessfulEnd::Released
            | UnsuccessfulEnd::Rejected
            | UnsuccessfulEnd::Unprepared(_) => (AttemptEvent::Lose, EventKind::Lost),
        };
        self.attempt = decide::apply_attempt_event(&self.attempt, event, unit.now);
        self.attempt.reason = Some(reason.to_owned());
        attempt::save(unit.tx, &self.attempt)?;
        let by = &self.thread.head.from;
        let text = format!("This attempt was ended: {reason}.");
        cancel::end_thread(unit.tx, self.thread, by, Some(&text), unit.now)?;
        self.end_unsuccessful(unit, end, kind, reason)
    }

    /// Ends the attempt without success: the task is retried, or fails.
    fn end_unsuccessful(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        end: UnsuccessfulEnd,
        kind: EventKind,
        reason: &str,
    ) -> Result<(), Error> {
        let run = unit.load_run(self.task.run)?.clone();
        let after = decide::end_attempt(&self.task, end, &run.policy, run.state.status(), unit.now);
        // The worker's own words say more, cut short.
        let words = self.attempt.outcome.and(self.closing.as_ref());
        let words = words.map(|message| message.content.body.chars().take(300).collect::<String>());
        let mut data: Vec<(&'static str, EventDatum)> = vec![
            ("reason", words.unwrap_or_else(|| reason.to_owned()).into()),
            ("tries_left", decide::tries_left(&after, &run.policy).into()),
        ];
        if let (TaskState::Ready, Some(until)) = (after.state, after.not_before) {
            data.push(("retry_in_ms", (until - unit.now).0.max(0).into()));
        }
        self.move_task_to(unit, after, kind, reason, data)
    }

    fn apply_cancellation(&mut self, unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        self.attempt = decide::apply_attempt_event(&self.attempt, AttemptEvent::Cancel, unit.now);
        self.attempt.reason = Some("its thread was cancelled".to_owned());
        let after = decide::apply_task_event(&self.task, TaskEvent::Cancel, unit.now);
        self.move_task_to(unit, after, EventKind::Cancelled, "its thread was cancelled", Vec::new())
    }

    /// Withdraws released work of a paused run, and cancels that of a cancelled run.
    fn update_offer(&self, unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        if self.thread.state != ThreadState::Queued {
            return Ok(());
        }
        match unit.load_run(self.task.run)?.state.status() {
            RunStatus::Paused if !self.thread.withdrawn => {
                Ok(thread::save(unit.tx, &Thread { withdrawn: true, ..self.thread.clone() }, false)?)
            }
            RunStatus::Cancelled => cancel_task(unit, self.task.id, "the run was cancelled").map(|_| ()),
            RunStatus::Open | RunStatus::Paused | RunStatus::Finished => Ok(()),
        }
    }

    /// Counts releases by the worker; returns whether there were too many.
    fn count_releases(&mut self, unit: &mut UnitOfWork<'_, '_>, times: u32) -> Result<bool, Error> {
        let policy = unit.load_run(self.task.run)?.policy.clone();
        let (task, is_spent) = decide::count_releases(&self.task, times, &policy);
        self.task = task;
        unit.save_task(&self.task)?;
        Ok(is_spent && !self.thread.state.status().is_closed())
    }

    /// Records the closing message and its author, which may differ from the agent that the attempt was sent to.
    fn record_outcome(&mut self) {
        self.attempt.outcome = closing_message(self.thread);
        if let Some(message) = &self.closing {
            self.attempt.agent = message.content.from.clone();
        }
    }
}
