//! `orch reconcile`, and the freshness of every other command: what workers reported moves their tasks.

use orch_core::attempt::Attempt;
use orch_core::attempt::state::AttemptEvent;
use orch_core::event::{Datum, EventKind};
use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};
use orch_core::reconcile::{Observation, steps};
use orch_core::run::{DoneWhen, RunStatus};
use orch_core::task::decide::{self, Unsuccessful};
use orch_core::task::state::TaskEvent;
use orch_core::task::{Task, TaskState};
use orch_core::thread::{Thread, ThreadState, decide as thread_decide};
use orch_core::time::Time;
use orch_core::worktree::Worktree;
use orch_store::table::{attempt, message, task, thread, thread_condition, worker, worktree};
use orch_store::{Ending, Transaction};

use super::scope;
use super::stage::{Stage, Told};
use crate::inbox::{cancel, close, reply};
use crate::wrapper::stop;
use crate::{Answer, Error, Receipt, Session};

/// One step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
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

/// Looks at every attempt whose thread has news, and takes the steps that follow. Doing it twice is doing it once.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn reconcile(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Vec<Change>>>,
    run: Option<&Slug>,
    dry_run: bool,
) -> Result<Answer<Vec<Change>>, Error> {
    session.change(receipt, |tx, now| {
        if run.is_some() {
            scope::one_run(tx, run)?;
        }
        let mut changes = Stage::fresh(tx, now, None)?.close()?;
        if let Some(run) = run {
            changes.retain(|change| change.task.run == *run);
        }
        Ok(if dry_run { Ending::Undo(changes) } else { Ending::Keep(changes) })
    })
}

/// Takes in everything the store knows: default answers that are due, news of threads, lost leases.
pub(crate) fn settle(stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let news = thread::news(stage.tx, stage.now)?;
    if news.defaults {
        for due in thread::defaults_due(stage.tx, stage.now)? {
            reply::give_default(stage.tx, due, stage.now)?;
        }
    }
    // A default answer that was just given is news as well, and begins a lease that may be lost by now.
    if news.threads || news.defaults {
        for changed in thread::with_news(stage.tx)? {
            look(stage, &changed)?;
        }
    }
    if news.lapsed || news.defaults {
        for lapsed in thread::owned_lapsed(stage.tx, stage.now)? {
            if stop::keeps(stage.tx, lapsed.id)? {
                continue;
            }
            look(stage, &lapsed)?;
        }
    }
    Ok(())
}

/// Brings the attempt that owns a thread to what the thread shows.
pub(crate) fn look(stage: &mut Stage<'_, '_>, seen: &Thread) -> Result<(), Error> {
    thread::seen(stage.tx, seen.id)?;
    let Some(reference) = seen.head.reference else { return Ok(()) };
    let Some(attempt) = attempt::load(stage.tx, reference.attempt)? else { return Ok(()) };
    if !decide::under_way(&attempt) {
        return Ok(());
    }
    let released = seen.releases.saturating_sub(attempt.releases);
    let lease_lost = thread_decide::lease(seen).is_some_and(|lease| lease.lost(stage.now));
    let observation = Observation { status: seen.state.status(), lease_lost, released };
    let events = steps(attempt.state, observation);
    let task = task::load(stage.tx, attempt.task)?.ok_or_else(|| scope::missing("task", attempt.task.0))?;
    let mut walk = Walk { task, attempt, seen, closed_at: None };
    walk.attempt.releases = seen.releases;
    if released > 0 && walk.count_releases(stage, released)? {
        return walk.lose(stage, "it was given back too often");
    }
    for event in events {
        walk.step(stage, event)?;
    }
    attempt::save(stage.tx, &walk.attempt)?;
    walk.offer_or_not(stage)
}

/// Ends the attempt of a thread whose worker is known to be gone, without waiting for its lease.
pub(crate) fn lose_thread(stage: &mut Stage<'_, '_>, id: ThreadId, reason: &str) -> Result<(), Error> {
    let Some(seen) = thread::load(stage.tx, id)? else { return Ok(()) };
    if seen.state.hold().is_none() {
        return Ok(());
    }
    let Some(reference) = seen.head.reference else { return Ok(()) };
    let Some(attempt) = attempt::load(stage.tx, reference.attempt)? else { return Ok(()) };
    if !decide::under_way(&attempt) || attempt.state == orch_core::attempt::AttemptState::Reported {
        return Ok(());
    }
    let task = task::load(stage.tx, attempt.task)?.ok_or_else(|| scope::missing("task", attempt.task.0))?;
    Walk { task, attempt, seen: &seen, closed_at: None }.lose(stage, reason)
}

/// One attempt on its way to what its thread shows.
struct Walk<'a> {
    task: Task,
    attempt: Attempt,
    seen: &'a Thread,
    /// When its worker closed it.
    closed_at: Option<Time>,
}

impl Walk<'_> {
    fn step(&mut self, stage: &mut Stage<'_, '_>, event: AttemptEvent) -> Result<(), Error> {
        match event {
            AttemptEvent::Claim => {
                self.attempt.agent = self.seen.worker().clone();
                self.go(stage, event, TaskEvent::Claim, EventKind::Running, "its work was claimed")
            }
            AttemptEvent::Ask => {
                self.go(stage, event, TaskEvent::Ask, EventKind::Blocked, "its worker asked")
            }
            AttemptEvent::Answer => {
                self.go(stage, event, TaskEvent::Answer, EventKind::Running, "its question was answered")
            }
            AttemptEvent::Release => {
                self.attempt.agent = self.seen.head.to.clone();
                self.go(stage, event, TaskEvent::Release, EventKind::Requeued, "its worker gave it back")
            }
            AttemptEvent::Report => self.report(stage),
            AttemptEvent::Fail => self.fail(stage),
            AttemptEvent::Lose => self.lose(stage, "its lease was lost"),
            AttemptEvent::Cancel => self.cancel(stage),
            AttemptEvent::Send | AttemptEvent::Accept | AttemptEvent::Reject | AttemptEvent::Recall => {
                unreachable!("a thread never shows {}", event.name())
            }
        }
    }

    /// Moves attempt and task alike.
    fn go(
        &mut self,
        stage: &mut Stage<'_, '_>,
        attempt_event: AttemptEvent,
        task_event: TaskEvent,
        kind: EventKind,
        reason: &str,
    ) -> Result<(), Error> {
        self.attempt = decide::attempt_moved(&self.attempt, attempt_event, self.when(stage.now));
        let after = decide::moved(&self.task, task_event, stage.now);
        self.become_task(stage, after, kind, reason, Vec::new())
    }

    fn become_task(
        &mut self,
        stage: &mut Stage<'_, '_>,
        after: Task,
        kind: EventKind,
        reason: &str,
        data: Vec<(&'static str, Datum)>,
    ) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.task, after);
        let agent = Some(self.attempt.agent.clone());
        let told = Told { kind, thread: Some(self.seen.id), agent, reason: reason.to_owned(), data };
        stage.move_task(&before, &self.task, told)
    }

    /// The worker said that it is done; under `reported` that is enough.
    fn report(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
        self.note_outcome(stage.tx)?;
        self.go(
            stage,
            AttemptEvent::Report,
            TaskEvent::Report,
            EventKind::Reported,
            "its worker said that it is done",
        )?;
        self.note_commit(stage)?;
        let run = stage.run(self.task.run)?;
        let (done_when, protected) = (run.policy.done_when, !run.rules.protect.is_empty());
        if !decide::is_done_by_report(done_when, self.attempt.checks, protected) {
            return Ok(());
        }
        let reason = match done_when {
            DoneWhen::Reported => "reported is done in this run",
            DoneWhen::Verified | DoneWhen::Integrated => "there is nothing to check",
        };
        self.go(stage, AttemptEvent::Accept, TaskEvent::Accept, EventKind::Done, reason)
    }

    /// Remembers the commit that was found when the worker closed its thread.
    fn note_commit(&self, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
        let Some(found) = thread_condition::found(stage.tx, self.seen.id)? else { return Ok(()) };
        let Some(tree) = worktree::load(stage.tx, self.attempt.id)? else { return Ok(()) };
        let tree = Worktree { head: Some(found.head), changes: found.changes, updated_at: stage.now, ..tree };
        Ok(worktree::save(stage.tx, &tree)?)
    }

    fn fail(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
        let closing = self.note_outcome(stage.tx)?;
        let last =
            closing.is_some_and(|message| message.content.extra.payload.as_deref() == Some(close::LAST));
        let at = self.when(stage.now);
        self.attempt = decide::attempt_moved(&self.attempt, AttemptEvent::Fail, at);
        let how = Unsuccessful::Failed { last, at };
        self.end_unsuccessful(stage, how, EventKind::Failed, "its worker gave up")
    }

    /// When an attempt ended: with its worker's last word, which may be long before anybody looked.
    fn when(&self, now: Time) -> Time {
        self.closed_at.unwrap_or(now)
    }

    fn lose(&mut self, stage: &mut Stage<'_, '_>, reason: &str) -> Result<(), Error> {
        self.attempt = decide::attempt_moved(&self.attempt, AttemptEvent::Lose, stage.now);
        self.attempt.reason = Some(reason.to_owned());
        attempt::save(stage.tx, &self.attempt)?;
        let by = self.seen.head.from.clone();
        let text = format!("This attempt was ended: {reason}.");
        // The thread as it is now: giving it up earlier in this walk may have changed it.
        let current =
            thread::load(stage.tx, self.seen.id)?.ok_or_else(|| scope::missing("thread", self.seen.id.0))?;
        cancel::end(stage.tx, &current, &by, Some(&text), stage.now)?;
        self.end_unsuccessful(stage, Unsuccessful::Lost, EventKind::Lost, reason)
    }

    /// The task gets another try, or fails.
    fn end_unsuccessful(
        &mut self,
        stage: &mut Stage<'_, '_>,
        how: Unsuccessful,
        kind: EventKind,
        reason: &str,
    ) -> Result<(), Error> {
        let run = stage.run(self.task.run)?.clone();
        let after = decide::attempt_ended(&self.task, how, &run.policy, run.state.status(), stage.now);
        let mut data: Vec<(&'static str, Datum)> = vec![
            ("reason", self.why(stage.tx, reason)?.into()),
            ("tries_left", decide::tries_left(&after, &run.policy).into()),
        ];
        if let (TaskState::Ready, Some(until)) = (after.state, after.not_before) {
            data.push(("retry_in_ms", (until - stage.now).0.max(0).into()));
        }
        self.become_task(stage, after, kind, reason, data)
    }

    /// The worker's own words where it left some, cut short.
    fn why(&self, tx: &mut Transaction<'_>, reason: &str) -> Result<String, Error> {
        let words = match self.attempt.outcome {
            Some(id) => message::load(tx, id)?.map(|message| message.content.body),
            None => None,
        };
        Ok(words.map_or_else(|| reason.to_owned(), |words| words.chars().take(300).collect()))
    }

    fn cancel(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
        self.attempt = decide::attempt_moved(&self.attempt, AttemptEvent::Cancel, stage.now);
        self.attempt.reason = Some("its thread was cancelled".to_owned());
        let after = decide::moved(&self.task, TaskEvent::Cancel, stage.now);
        self.become_task(stage, after, EventKind::Cancelled, "its thread was cancelled", Vec::new())
    }

    /// Work that was given back is offered again, but not while its run is paused, and never in a cancelled one.
    fn offer_or_not(&self, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
        if self.seen.state != ThreadState::Queued {
            return Ok(());
        }
        match stage.run(self.task.run)?.state.status() {
            RunStatus::Paused if !self.seen.withdrawn => {
                Ok(thread::save(stage.tx, &Thread { withdrawn: true, ..self.seen.clone() }, false)?)
            }
            RunStatus::Cancelled => {
                super::task::cancel(stage, self.task.id, "the run was cancelled").map(|_| ())
            }
            RunStatus::Open | RunStatus::Paused | RunStatus::Finished => Ok(()),
        }
    }

    /// Counts what the worker gave back; says whether that was once too often.
    fn count_releases(&mut self, stage: &mut Stage<'_, '_>, times: u32) -> Result<bool, Error> {
        let end = worker::load(stage.tx, self.seen.id)?.and_then(|row| row.end);
        if end.is_some_and(|end| end.outcome.is_forgiven()) {
            return Ok(false);
        }
        let policy = stage.run(self.task.run)?.policy.clone();
        let (task, spent) = decide::released(&self.task, times, &policy);
        let ends = spent && !self.seen.state.status().closed();
        // The loss that follows counts one itself.
        let losses = if ends { task.losses.saturating_sub(1) } else { task.losses };
        self.task = Task { losses, ..task };
        task::save(stage.tx, &self.task)?;
        Ok(ends)
    }

    /// Remembers the message that closed the thread, and who wrote it: nobody may have looked since it was claimed.
    fn note_outcome(
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
