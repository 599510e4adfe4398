//! Moving tasks inside one transaction: every change of state is saved, counted, told and carried to dependents here.

use std::collections::{BTreeMap, VecDeque};

use orch_core::dependency::CounterDelta;
use orch_core::effect::Effect;
use orch_core::event::{EventDatum, EventKind, EventSubject, NewEvent};
use orch_core::id::{RunId, Slug, ThreadId};
use orch_core::run::{Run, RunState, decide as run_decide};
use orch_core::task::{Task, TaskState, decide};
use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, dependency, effect, event, run, task, thread};
use orch_store::{Fault, Transaction, TxEnd};

use super::reconcile::TaskTransition;
use super::{lookup, reconcile};
use orch_inbox::{Error, Session};

/// A transaction with what the scheduler keeps in hand until it ends: the runs whose counts change.
pub struct UnitOfWork<'a, 't> {
    /// The transaction.
    pub tx: &'a mut Transaction<'t>,
    /// Its time.
    pub now: Time,
    /// Who acts; `None` when it is the tool itself.
    pub who: Option<Slug>,
    /// Every change of a task's state so far.
    pub changes: Vec<TaskTransition>,
    /// Threads of attempts that were cancelled here; their workers are stopped after the commit.
    pub cancelled_threads: Vec<ThreadId>,
    runs: BTreeMap<RunId, CachedRun>,
}

/// What a unit of work leaves to be done after its commit.
pub(crate) struct UnitOutcome {
    /// The transitions of tasks, in order.
    pub transitions: Vec<TaskTransition>,
    /// Threads whose workers are to be stopped.
    pub cancelled_threads: Vec<ThreadId>,
}

/// A run in hand.
struct CachedRun {
    run: Run,
    changed: bool,
}

/// What is said of a task's change of state.
pub(crate) struct TransitionEvent {
    /// The event's kind.
    pub kind: EventKind,
    /// The thread it is about.
    pub thread: Option<ThreadId>,
    /// Who caused it, where it is not the one who acts.
    pub agent: Option<Slug>,
    /// Why, in words.
    pub reason: String,
    /// What else the event says.
    pub data: Vec<(&'static str, EventDatum)>,
}

impl TransitionEvent {
    /// An event without more to say.
    pub(crate) fn without_data(kind: EventKind, reason: &str) -> Self {
        Self { kind, thread: None, agent: None, reason: reason.to_owned(), data: Vec::new() }
    }
}

impl<'a, 't> UnitOfWork<'a, 't> {
    /// Begins a unit of work by an agent, or by the tool itself.
    ///
    /// The store is reconciled first, as if in a transaction of its own.
    pub(crate) fn begin_reconciled(
        tx: &'a mut Transaction<'t>,
        now: Time,
        actor: Option<&Slug>,
    ) -> Result<Self, Error> {
        if let Some(actor) = actor {
            agent::record_sighting(tx, actor, now)?;
        }
        let mut unit = Self {
            tx,
            now,
            who: None,
            changes: Vec::new(),
            cancelled_threads: Vec::new(),
            runs: BTreeMap::new(),
        };
        reconcile::reconcile_store(&mut unit)?;
        unit.save_runs()?;
        unit.who = actor.cloned();
        Ok(unit)
    }

    /// A run, with its counts as they are by now.
    pub fn load_run(&mut self, id: RunId) -> Result<&mut Run, Error> {
        if !self.runs.contains_key(&id) {
            let run = lookup::load_run(self.tx, id)?;
            self.runs.insert(id, CachedRun { run, changed: false });
        }
        self.runs.get_mut(&id).map(|held| &mut held.run).ok_or_else(|| lookup::missing_row("run", id.0))
    }

    /// The named run, or the one that is meant when none is named.
    pub(crate) fn resolve_run(&mut self, name: Option<&Slug>) -> Result<Run, Error> {
        let run = lookup::find_run(self.tx, name)?;
        let held = self.runs.entry(run.id).or_insert(CachedRun { run, changed: false });
        Ok(held.run.clone())
    }

    /// Puts a changed run back in hand.
    pub fn replace_run(&mut self, run: Run) {
        self.runs.insert(run.id, CachedRun { run, changed: true });
    }

    /// Counts a task that was added in this state.
    pub(crate) fn count_new_task(&mut self, run: RunId, state: TaskState) -> Result<(), Error> {
        let now = self.now;
        let held = self.load_run(run)?;
        held.counts.add_task(state);
        held.updated_at = now;
        self.mark_changed(run);
        Ok(())
    }

    fn mark_changed(&mut self, id: RunId) {
        if let Some(held) = self.runs.get_mut(&id) {
            held.changed = true;
        }
    }

    /// Appends an event.
    pub fn append_event(
        &mut self,
        kind: EventKind,
        about: EventSubject,
        agent: Option<Slug>,
        data: Vec<(&'static str, EventDatum)>,
    ) -> Result<(), Error> {
        let agent = agent.or_else(|| self.who.clone());
        event::insert(self.tx, &NewEvent { kind, about, agent, data }, self.now)?;
        Ok(())
    }

    /// Saves a task that moved; a change of state is told, counted, and carried to the tasks that wait for it.
    pub(crate) fn apply_transition(
        &mut self,
        before: &Task,
        after: &Task,
        told: TransitionEvent,
    ) -> Result<(), Error> {
        task::save(self.tx, after)?;
        self.record_transition(before, after, told)?;
        self.propagate_to_dependents(before, after)
    }

    /// Tells and counts a change of state.
    fn record_transition(&mut self, before: &Task, after: &Task, told: TransitionEvent) -> Result<(), Error> {
        let attempt = after.attempt;
        let mut data = told.data;
        data.insert(0, ("to", after.state.name().into()));
        data.insert(0, ("from", before.state.name().into()));
        let about = EventSubject {
            run: Some(after.run),
            task: Some(after.id),
            attempt: attempt.map(|attempt| attempt.id),
            thread: told.thread,
        };
        self.append_event(told.kind, about, told.agent, data)?;
        let now = self.now;
        let run = self.load_run(after.run)?;
        run.counts.move_task(before.state, after.state);
        run.updated_at = now;
        self.mark_changed(after.run);
        self.changes.push(TaskTransition {
            task: after.name.clone(),
            attempt: decide::attempt_name(after),
            from: before.state.name(),
            to: after.state.name(),
            reason: told.reason,
        });
        Ok(())
    }

    /// Carries a task's change of state to its dependents, and theirs to theirs, breadth first.
    fn propagate_to_dependents(&mut self, before: &Task, after: &Task) -> Result<(), Error> {
        let mut queue =
            VecDeque::from([(after.clone(), CounterDelta::between_states(before.state, after.state))]);
        while let Some((moved, shift)) = queue.pop_front() {
            if shift.is_none() {
                continue;
            }
            for id in dependency::list_dependents(self.tx, moved.id)? {
                let dependent = task::load(self.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
                let stood = self.recompute_readiness(&dependent, shift, &moved)?;
                queue.push_back((stood.clone(), CounterDelta::between_states(dependent.state, stood.state)));
            }
        }
        Ok(())
    }

    /// One dependent after a dependency of it moved.
    fn recompute_readiness(
        &mut self,
        dependent: &Task,
        shift: CounterDelta,
        because: &Task,
    ) -> Result<Task, Error> {
        let (unmet, broken) = shift.apply(dependent.unmet, dependent.broken);
        let stood = decide::recompute_readiness(dependent, unmet, broken, self.now);
        task::save(self.tx, &stood)?;
        if stood.state != dependent.state {
            let reason = format!("{} is {}", because.name.key, because.state.name());
            let data = vec![("because", because.name.key.to_string().into())];
            let told = TransitionEvent {
                data,
                ..TransitionEvent::without_data(readiness_event_kind(stood.state), &reason)
            };
            self.record_transition(dependent, &stood, told)?;
        }
        Ok(stood)
    }

    /// Moves a task's dependency counters, and its state where it follows them; the event is the caller's kind.
    pub(crate) fn adjust_dependency_counters(
        &mut self,
        before: &Task,
        shift: CounterDelta,
        kind: EventKind,
        on: &Slug,
    ) -> Result<Task, Error> {
        let (unmet, broken) = shift.apply(before.unmet, before.broken);
        let after = decide::recompute_readiness(before, unmet, broken, self.now);
        let told = TransitionEvent {
            data: vec![("on", on.to_string().into())],
            ..TransitionEvent::without_data(kind, "its dependencies were changed")
        };
        if after.state == before.state {
            task::save(self.tx, &after)?;
            let about =
                EventSubject { run: Some(after.run), task: Some(after.id), ..EventSubject::default() };
            self.append_event(kind, about, None, told.data)?;
        } else {
            self.apply_transition(before, &after, told)?;
        }
        Ok(after)
    }

    /// Saves what is still in memory and ends the unit of work.
    pub(crate) fn save_and_close(mut self) -> Result<UnitOutcome, Error> {
        self.save_runs()?;
        Ok(UnitOutcome { transitions: self.changes, cancelled_threads: self.cancelled_threads })
    }

    /// Saves the runs that changed; one without unfinished tasks is finished, one that got work is open again.
    pub(crate) fn save_runs(&mut self) -> Result<(), Error> {
        for (id, held) in std::mem::take(&mut self.runs) {
            let mut run = held.run;
            if !held.changed {
                continue;
            }
            let settled = run_decide::derive_run_state(&run.state, &run.counts);
            if let Some(state) = settled {
                run.state = state;
                let (kind, data) = run_state_event(&run.state);
                self.append_event(
                    kind,
                    EventSubject { run: Some(id), ..EventSubject::default() },
                    None,
                    data,
                )?;
                self.request_sweep(&run)?;
            }
            run::save(self.tx, &run)?;
        }
        Ok(())
    }
}

impl UnitOfWork<'_, '_> {
    /// A run that is over leaves nothing that only its next attempts would need.
    pub(crate) fn request_sweep(&mut self, run: &Run) -> Result<(), Error> {
        if run.ground.is_some() && !run.state.status().is_unfinished() {
            effect::insert(self.tx, run.id, &Effect::SweepWorktrees, self.now)?;
        }
        Ok(())
    }
}

/// What is told of a run whose tasks changed its state.
fn run_state_event(state: &RunState) -> (EventKind, Vec<(&'static str, EventDatum)>) {
    match state {
        RunState::Finished(outcome) => (EventKind::Finished, vec![("outcome", outcome.name().into())]),
        RunState::Open | RunState::Paused(_) | RunState::Cancelled => (EventKind::RunReopened, Vec::new()),
    }
}

/// The event of a standing that a task takes by its dependencies.
fn readiness_event_kind(state: TaskState) -> EventKind {
    match state {
        TaskState::Ready => EventKind::Ready,
        TaskState::Skipped => EventKind::Skipped,
        TaskState::Waiting
        | TaskState::Dispatched
        | TaskState::Running
        | TaskState::Blocked
        | TaskState::Reported
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Cancelled => EventKind::Waiting,
    }
}

/// Reads as if everything the store knows had just been reconciled; writes only when there is news.
pub fn read_fresh<T>(
    session: &mut Session,
    work: impl Fn(&mut Transaction<'_>, Time) -> Result<T, Error>,
) -> Result<T, Error> {
    let current = session.read(|tx, now| {
        if thread::pending_changes(tx, now)?.is_pending() { Ok(None) } else { work(tx, now).map(Some) }
    })?;
    if let Some(outcome) = current {
        return Ok(outcome);
    }
    let settled = session.write(WriteDurability::Power, |tx, now| {
        UnitOfWork::begin_reconciled(tx, now, None)?.save_and_close()?;
        // What the reader is refused must not undo what was reconciled.
        Ok(TxEnd::Commit(work(tx, now)))
    });
    match settled {
        // Nothing can be written here: what is known is told as it stands.
        Err(Error::Store(Fault::ReadOnly { .. })) => session.read(work),
        settled => settled?,
    }
}
