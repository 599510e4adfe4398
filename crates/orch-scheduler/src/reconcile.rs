//! `orch reconcile`, and the freshness of every other command: what workers reported moves their tasks.

use std::path::PathBuf;

use orch_core::attempt::Attempt;
use orch_core::attempt::state::AttemptEvent;
use orch_core::effect::{EffectKind, PendingEffect};
use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{AttemptName, RunId, Slug, TaskName, ThreadId};
use orch_core::reconcile::{ThreadObservation, plan_attempt_steps};
use orch_core::run::{DoneWhen, Run, RunStatus};
use orch_core::task::decide::{self, UnsuccessfulEnd};
use orch_core::task::state::TaskEvent;
use orch_core::task::{Task, TaskState};
use orch_core::thread::{Thread, ThreadState, decide as thread_decide};
use orch_core::time::Time;
use orch_core::worktree::Worktree;
use orch_store::table::{
    attempt, effect, message, run as run_table, task, thread, thread_condition, worker, worktree,
};
use orch_store::{Transaction, TxEnd};
use serde_json::{Value, json};

use super::lookup;
use super::operation::Operation;
use super::orphaned;
use super::orphans::{self, Orphan};
use super::perform::{effect_lease, perform_outstanding};
use super::unit_of_work::{TransitionEvent, UnitOfWork};
use orch_inbox::liveness;
use orch_inbox::{Error, Receipt, RequestDecision, RequestIntent, Response, Session};
use orch_inbox::{cancel, close, reply};

/// One step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTransition {
    /// The task.
    pub task: TaskName,
    /// The attempt, where the step is one of an attempt.
    pub attempt: Option<AttemptName>,
    /// The task's state before.
    pub from: &'static str,
    /// The task's state after.
    pub to: &'static str,
    /// Why.
    pub reason: String,
}

/// What was begun outside the store by a process that ended.
#[derive(Debug)]
pub struct CompletedEffect {
    /// What.
    pub kind: EffectKind,
    /// For which run.
    pub run: Slug,
    /// For which attempt, where it is for one.
    pub attempt: Option<AttemptName>,
    /// What came of it, where that is not what was wanted.
    pub problem: Option<Error>,
    /// Whether it has still to be done.
    pub stays: bool,
}

/// What reconciling came to.
#[derive(Debug, Default)]
pub struct ReconcileOutcome {
    /// The steps that tasks took, in order.
    pub changes: Vec<TaskTransition>,
    /// What was begun and is finished now; or, where nothing was to be done, would be.
    pub finished: Vec<CompletedEffect>,
    /// What was left on the disk by processes that ended, and was taken away, or would be.
    pub swept: Vec<PathBuf>,
    /// What lies in our places and the store does not know.
    pub orphans: Vec<Orphan>,
    /// What could not be looked at.
    pub faults: Vec<Error>,
}

/// Lets what workers reported move their tasks, ends what killed wrappers have left, finishes what processes that ended
/// have begun, and looks for what nobody knows. Doing it twice is doing it once.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn reconcile_runs(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ReconcileOutcome>>,
    run: Option<&Slug>,
    dry_run: bool,
) -> Result<Response<ReconcileOutcome>, Error> {
    if dry_run {
        return plan_reconcile(session, receipt, run);
    }
    Operation::by_tool(receipt).run_with_effects(
        session,
        |unit| {
            let run = run.map(|run| lookup::find_run(unit.tx, Some(run))).transpose()?;
            let changes = transitions_of_run(std::mem::take(&mut unit.changes), run.as_ref());
            let run = run.map(|run| run.id);
            let has_more = effect::any_pending(unit.tx)?
                || !runs_with_git(unit.tx, run)?.is_empty()
                || !orphaned::orphaned_workers(unit.tx, run)?.is_empty();
            Ok(match has_more {
                true => RequestDecision::Pending(ReconcileIntent { run, changes }),
                false => {
                    RequestDecision::Complete(ReconcileOutcome { changes, ..ReconcileOutcome::default() })
                }
            })
        },
        |session, settled| {
            let (mut changes, mut finished) = (settled.changes, Vec::new());
            for row in session.read(|tx, _| orphaned::orphaned_workers(tx, settled.run))? {
                changes.extend(orphaned::reap_worker(session, &row)?);
            }
            for done in perform_outstanding(session, settled.run)? {
                finished.push(completed_effect(session, &done.effect, done.run, done.outcome)?);
            }
            let mut outcome = ReconcileOutcome { changes, finished, ..ReconcileOutcome::default() };
            sweep_and_find_orphans(session, settled.run, true, &mut outcome)?;
            Ok(outcome)
        },
    )
}

/// Says what reconciling would do, and does nothing.
fn plan_reconcile(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ReconcileOutcome>>,
    run: Option<&Slug>,
) -> Result<Response<ReconcileOutcome>, Error> {
    let settled = session.write_idempotent(receipt, |tx, now| {
        let run = run.map(|run| lookup::find_run(tx, Some(run))).transpose()?;
        let mut stage = UnitOfWork::begin_reconciled(tx, now, None)?;
        for row in orphaned::orphaned_workers(stage.tx, run.as_ref().map(|run| run.id))? {
            orphaned::mark_lost(&mut stage, &row)?;
        }
        let changes = transitions_of_run(stage.save_and_close()?.transitions, run.as_ref());
        Ok(TxEnd::Rollback(ReconcileOutcome { changes, ..ReconcileOutcome::default() }))
    })?;
    let mut outcome = match settled {
        Response::Replayed(answer) => return Ok(Response::Replayed(answer)),
        Response::Fresh(outcome) => outcome,
    };
    let (run, left) = session.read(|tx, now| {
        let run = run.map(|run| lookup::find_run(tx, Some(run))).transpose()?.map(|run| run.id);
        let mut effects = effect::list_pending(tx, run)?;
        effects.retain(|effect| effect_lease::is_unheld(effect, now));
        Ok((run, effects))
    })?;
    for effect in left {
        let run = session.read(|tx, _| lookup::load_run(tx, effect.run))?.name;
        outcome.finished.push(completed_effect(session, &effect, run, Ok(()))?);
    }
    sweep_and_find_orphans(session, run, false, &mut outcome)?;
    Ok(Response::Fresh(outcome))
}

fn transitions_of_run(mut changes: Vec<TaskTransition>, run: Option<&Run>) -> Vec<TaskTransition> {
    if let Some(run) = run {
        changes.retain(|change| change.task.run == run.name);
    }
    changes
}

/// The run, or all that have worktrees.
fn runs_with_git(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Run>, Error> {
    match run {
        Some(run) => {
            Ok(vec![lookup::load_run(tx, run)?].into_iter().filter(|run| run.ground.is_some()).collect())
        }
        None => Ok(run_table::list_with_git(tx)?),
    }
}

fn completed_effect(
    session: &mut Session,
    done: &PendingEffect,
    run: Slug,
    outcome: Result<(), Error>,
) -> Result<CompletedEffect, Error> {
    session.read(|tx, _| {
        let attempt = match done.effect.attempt() {
            Some(id) => attempt::load(tx, id)?.map(|attempt| attempt.name),
            None => None,
        };
        let stays = effect::load(tx, done.id)?.is_some();
        Ok(CompletedEffect { kind: done.effect.kind(), run, attempt, problem: outcome.err(), stays })
    })
}

/// Takes away what nobody will come back for, and finds what nobody knows.
fn sweep_and_find_orphans(
    session: &mut Session,
    run: Option<RunId>,
    sweep: bool,
    outcome: &mut ReconcileOutcome,
) -> Result<(), Error> {
    let runs = session.read(|tx, _| runs_with_git(tx, run))?;
    match orphans::scan_for_orphans(session, runs, run.is_some(), sweep) {
        Ok(looked) => {
            outcome.swept = looked.swept;
            outcome.orphans = looked.orphans;
            Ok(())
        }
        Err(error @ Error::Store(_)) => Err(error),
        // A repository that was moved or deleted keeps nobody from the rest.
        Err(error) => {
            outcome.faults.push(error);
            Ok(())
        }
    }
}

/// What was settled in the store, in a form that outlives the process.
struct ReconcileIntent {
    run: Option<RunId>,
    changes: Vec<TaskTransition>,
}

impl RequestIntent for ReconcileIntent {
    fn encode(&self) -> String {
        let changes: Vec<Value> = self.changes.iter().map(TaskTransition::to_json).collect();
        json!({ "run": self.run.map(|run| run.0), "changes": changes }).to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let changes =
            value["changes"].as_array()?.iter().map(TaskTransition::from_json).collect::<Option<_>>()?;
        Some(Self { run: value["run"].as_i64().map(RunId), changes })
    }
}

impl TaskTransition {
    fn to_json(&self) -> Value {
        let (task, attempt) = (&self.task, self.attempt.as_ref().map(|attempt| attempt.number));
        json!([task.run.as_str(), task.key.as_str(), attempt, self.from, self.to, self.reason])
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |index: usize| value[index].as_str().map(str::to_owned);
        let state = |index: usize| Some(TaskState::parse(value[index].as_str()?)?.name());
        let task = TaskName { run: Slug::from_stored(text(0)?), key: Slug::from_stored(text(1)?) };
        let number = value[2].as_u64().and_then(|number| u32::try_from(number).ok());
        let attempt = number.map(|number| AttemptName { task: task.clone(), number });
        Some(Self { task, attempt, from: state(3)?, to: state(4)?, reason: text(5)? })
    }
}

/// Takes in everything the store knows: default answers that are due, news of threads, lost leases.
pub(crate) fn reconcile_store(stage: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
    let news = thread::pending_changes(stage.tx, stage.now)?;
    if news.defaults {
        for due in thread::list_due_defaults(stage.tx, stage.now)? {
            reply::apply_due_default(stage.tx, due, stage.now)?;
        }
    }
    // A default answer that was just given is news as well, and begins a lease that may be lost by now.
    if news.threads || news.defaults {
        for changed in thread::list_dirty(stage.tx)? {
            reconcile_thread(stage, &changed)?;
        }
    }
    if news.lapsed || news.defaults {
        for lapsed in thread::list_owned_lapsed(stage.tx, stage.now)? {
            if liveness::has_live_wrapper(stage.tx, lapsed.id)? {
                continue;
            }
            reconcile_thread(stage, &lapsed)?;
        }
    }
    Ok(())
}

/// Brings the attempt that owns a thread to what the thread shows.
pub(crate) fn reconcile_thread(stage: &mut UnitOfWork<'_, '_>, seen: &Thread) -> Result<(), Error> {
    thread::clear_dirty(stage.tx, seen.id)?;
    let Some(reference) = seen.head.reference else { return Ok(()) };
    let Some(attempt) = attempt::load(stage.tx, reference.attempt)? else { return Ok(()) };
    if !decide::is_under_way(&attempt) {
        return Ok(());
    }
    let released = seen.releases.saturating_sub(attempt.releases);
    let lease_lost = thread_decide::running_lease(seen).is_some_and(|lease| lease.is_lost(stage.now));
    let observation = ThreadObservation { status: seen.state.status(), lease_lost, released };
    let events = plan_attempt_steps(attempt.state, observation);
    let task =
        task::load(stage.tx, attempt.task)?.ok_or_else(|| lookup::missing_row("task", attempt.task.0))?;
    let mut walk = AttemptReconciler { task, attempt, seen, closed_at: None };
    walk.attempt.releases = seen.releases;
    if released > 0 && walk.count_releases(stage, released)? {
        return walk.mark_lost(stage, "it was given back too often");
    }
    for event in events {
        walk.apply_event(stage, event)?;
    }
    attempt::save(stage.tx, &walk.attempt)?;
    walk.set_offer(stage)
}

/// Ends the attempt of a thread whose worker is known to be gone, without waiting for its lease.
pub(crate) fn mark_thread_lost(
    stage: &mut UnitOfWork<'_, '_>,
    id: ThreadId,
    reason: &str,
) -> Result<(), Error> {
    let Some(seen) = thread::load(stage.tx, id)? else { return Ok(()) };
    if seen.state.hold().is_none() {
        return Ok(());
    }
    let Some(reference) = seen.head.reference else { return Ok(()) };
    let Some(attempt) = attempt::load(stage.tx, reference.attempt)? else { return Ok(()) };
    if !decide::is_under_way(&attempt) || attempt.state == orch_core::attempt::AttemptState::Reported {
        return Ok(());
    }
    let task =
        task::load(stage.tx, attempt.task)?.ok_or_else(|| lookup::missing_row("task", attempt.task.0))?;
    AttemptReconciler { task, attempt, seen: &seen, closed_at: None }.mark_lost(stage, reason)
}

/// One attempt on its way to what its thread shows.
struct AttemptReconciler<'a> {
    task: Task,
    attempt: Attempt,
    seen: &'a Thread,
    /// When its worker closed it.
    closed_at: Option<Time>,
}

impl AttemptReconciler<'_> {
    fn apply_event(&mut self, stage: &mut UnitOfWork<'_, '_>, event: AttemptEvent) -> Result<(), Error> {
        match event {
            AttemptEvent::Claim => {
                self.attempt.agent = self.seen.working_agent().clone();
                self.move_attempt_and_task(
                    stage,
                    event,
                    TaskEvent::Claim,
                    EventKind::Running,
                    "its work was claimed",
                )
            }
            AttemptEvent::Ask => self.move_attempt_and_task(
                stage,
                event,
                TaskEvent::Ask,
                EventKind::Blocked,
                "its worker asked",
            ),
            AttemptEvent::Answer => self.move_attempt_and_task(
                stage,
                event,
                TaskEvent::Answer,
                EventKind::Running,
                "its question was answered",
            ),
            AttemptEvent::Release => {
                self.attempt.agent = self.seen.head.to.clone();
                self.move_attempt_and_task(
                    stage,
                    event,
                    TaskEvent::Release,
                    EventKind::Requeued,
                    "its worker gave it back",
                )
            }
            AttemptEvent::Report => self.apply_report(stage),
            AttemptEvent::Fail => self.apply_failure(stage),
            AttemptEvent::Lose => self.mark_lost(stage, "its lease was lost"),
            AttemptEvent::Cancel => self.apply_cancellation(stage),
            AttemptEvent::Send | AttemptEvent::Accept | AttemptEvent::Reject | AttemptEvent::Recall => {
                unreachable!("a thread never shows {}", event.name())
            }
        }
    }

    /// Moves attempt and task alike.
    fn move_attempt_and_task(
        &mut self,
        stage: &mut UnitOfWork<'_, '_>,
        attempt_event: AttemptEvent,
        task_event: TaskEvent,
        kind: EventKind,
        reason: &str,
    ) -> Result<(), Error> {
        self.attempt = decide::apply_attempt_event(&self.attempt, attempt_event, self.ended_at(stage.now));
        let after = decide::apply_task_event(&self.task, task_event, stage.now);
        self.move_task_to(stage, after, kind, reason, Vec::new())
    }

    fn move_task_to(
        &mut self,
        stage: &mut UnitOfWork<'_, '_>,
        after: Task,
        kind: EventKind,
        reason: &str,
        data: Vec<(&'static str, EventDatum)>,
    ) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.task, after);
        let agent = Some(self.attempt.agent.clone());
        let told =
            TransitionEvent { kind, thread: Some(self.seen.id), agent, reason: reason.to_owned(), data };
        stage.apply_transition(&before, &self.task, told)
    }

    /// The worker said that it is done; under `reported` that is enough.
    fn apply_report(&mut self, stage: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        self.record_outcome(stage.tx)?;
        self.move_attempt_and_task(
            stage,
            AttemptEvent::Report,
            TaskEvent::Report,
            EventKind::Reported,
            "its worker said that it is done",
        )?;
        self.record_commit(stage)?;
        let run = stage.load_run(self.task.run)?;
        let (done_when, protected) = (run.policy.done_when, !run.rules.protect.is_empty());
        if !decide::is_done_by_report(done_when, self.attempt.checks, protected) {
            return Ok(());
        }
        let reason = match done_when {
            DoneWhen::Reported => "reported is done in this run",
            DoneWhen::Verified | DoneWhen::Integrated => "there is nothing to check",
        };
        self.move_attempt_and_task(stage, AttemptEvent::Accept, TaskEvent::Accept, EventKind::Done, reason)
    }

    /// Remembers the commit that was found when the worker closed its thread.
    fn record_commit(&self, stage: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        let Some(found) = thread_condition::load_snapshot(stage.tx, self.seen.id)? else { return Ok(()) };
        let Some(tree) = worktree::load(stage.tx, self.attempt.id)? else { return Ok(()) };
        let tree = Worktree { head: Some(found.head), changes: found.changes, updated_at: stage.now, ..tree };
        Ok(worktree::save(stage.tx, &tree)?)
    }

    fn apply_failure(&mut self, stage: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        let closing = self.record_outcome(stage.tx)?;
        let last =
            closing.is_some_and(|message| message.content.extra.payload.as_deref() == Some(close::LAST));
        let at = self.ended_at(stage.now);
        self.attempt = decide::apply_attempt_event(&self.attempt, AttemptEvent::Fail, at);
        let how = UnsuccessfulEnd::Failed { last, at };
        self.end_unsuccessful(stage, how, EventKind::Failed, "its worker gave up")
    }

    /// When an attempt ended: with its worker's last word, which may be long before anybody looked.
    fn ended_at(&self, now: Time) -> Time {
        self.closed_at.unwrap_or(now)
    }

    fn mark_lost(&mut self, stage: &mut UnitOfWork<'_, '_>, reason: &str) -> Result<(), Error> {
        self.attempt = decide::apply_attempt_event(&self.attempt, AttemptEvent::Lose, stage.now);
        self.attempt.reason = Some(reason.to_owned());
        attempt::save(stage.tx, &self.attempt)?;
        let by = self.seen.head.from.clone();
        let text = format!("This attempt was ended: {reason}.");
        // The thread as it is now: giving it up earlier in this walk may have changed it.
        let current = thread::load(stage.tx, self.seen.id)?
            .ok_or_else(|| lookup::missing_row("thread", self.seen.id.0))?;
        cancel::end_thread(stage.tx, &current, &by, Some(&text), stage.now)?;
        self.end_unsuccessful(stage, UnsuccessfulEnd::Lost, EventKind::Lost, reason)
    }

    /// The task gets another try, or fails.
    fn end_unsuccessful(
        &mut self,
        stage: &mut UnitOfWork<'_, '_>,
        how: UnsuccessfulEnd,
        kind: EventKind,
        reason: &str,
    ) -> Result<(), Error> {
        let run = stage.load_run(self.task.run)?.clone();
        let after = decide::end_attempt(&self.task, how, &run.policy, run.state.status(), stage.now);
        let mut data: Vec<(&'static str, EventDatum)> = vec![
            ("reason", self.failure_reason(stage.tx, reason)?.into()),
            ("tries_left", decide::tries_left(&after, &run.policy).into()),
        ];
        if let (TaskState::Ready, Some(until)) = (after.state, after.not_before) {
            data.push(("retry_in_ms", (until - stage.now).0.max(0).into()));
        }
        self.move_task_to(stage, after, kind, reason, data)
    }

    /// The worker's own words where it left some, cut short.
    fn failure_reason(&self, tx: &mut Transaction<'_>, reason: &str) -> Result<String, Error> {
        let words = match self.attempt.outcome {
            Some(id) => message::load(tx, id)?.map(|message| message.content.body),
            None => None,
        };
        Ok(words.map_or_else(|| reason.to_owned(), |words| words.chars().take(300).collect()))
    }

    fn apply_cancellation(&mut self, stage: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        self.attempt = decide::apply_attempt_event(&self.attempt, AttemptEvent::Cancel, stage.now);
        self.attempt.reason = Some("its thread was cancelled".to_owned());
        let after = decide::apply_task_event(&self.task, TaskEvent::Cancel, stage.now);
        self.move_task_to(stage, after, EventKind::Cancelled, "its thread was cancelled", Vec::new())
    }

    /// Work that was given back is offered again, but not while its run is paused, and never in a cancelled one.
    fn set_offer(&self, stage: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        if self.seen.state != ThreadState::Queued {
            return Ok(());
        }
        match stage.load_run(self.task.run)?.state.status() {
            RunStatus::Paused if !self.seen.withdrawn => {
                Ok(thread::save(stage.tx, &Thread { withdrawn: true, ..self.seen.clone() }, false)?)
            }
            RunStatus::Cancelled => {
                super::task::cancel_task(stage, self.task.id, "the run was cancelled").map(|_| ())
            }
            RunStatus::Open | RunStatus::Paused | RunStatus::Finished => Ok(()),
        }
    }

    /// Counts what the worker gave back; says whether that was once too often.
    fn count_releases(&mut self, stage: &mut UnitOfWork<'_, '_>, times: u32) -> Result<bool, Error> {
        let end = worker::load(stage.tx, self.seen.id)?.and_then(|row| row.end);
        if end.is_some_and(|end| end.outcome.is_forgiven()) {
            return Ok(false);
        }
        let policy = stage.load_run(self.task.run)?.policy.clone();
        let (task, spent) = decide::count_releases(&self.task, times, &policy);
        let ends = spent && !self.seen.state.status().is_closed();
        // The loss that follows counts one itself.
        let losses = if ends { task.losses.saturating_sub(1) } else { task.losses };
        self.task = Task { losses, ..task };
        task::save(stage.tx, &self.task)?;
        Ok(ends)
    }

    /// Remembers the message that closed the thread, and who wrote it: nobody may have looked since it was claimed.
    fn record_outcome(
        &mut self,
        tx: &mut Transaction<'_>,
    ) -> Result<Option<orch_core::message::Message>, Error> {
        let closing = match &self.seen.state {
            ThreadState::Done(closing) | ThreadState::Failed(closing) => Some(closing.message),
            ThreadState::Queued
            | ThreadState::Claimed { .. }
            | ThreadState::Blocked { .. }
            | ThreadState::Cancelled => None,
        };
        self.attempt.outcome = closing;
        let closing = closing.map(|id| message::load(tx, id)).transpose()?.flatten();
        if let Some(message) = &closing {
            self.attempt.agent = message.content.from.clone();
            self.closed_at = Some(message.created_at);
        }
        Ok(closing)
    }
}
