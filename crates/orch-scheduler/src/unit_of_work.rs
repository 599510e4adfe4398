//! A unit of work: every transition of a task is saved, counted, recorded as an event and propagated here.

use std::collections::{BTreeMap, HashMap, VecDeque};

use orch_core::dependency::CounterDelta;
use orch_core::effect::Effect;
use orch_core::event::{EventDatum, EventKind, EventSubject, NewEvent};
use orch_core::id::{AttemptName, RunId, Slug, TaskId, TaskName, ThreadId};
use orch_core::run::{Run, RunState, decide as run_decide};
use orch_core::task::{Task, TaskState, decide};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::{dependency, effect, event, run, task};

use crate::lookup;
use orch_inbox::Error;

/// A transition of a task's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTransition {
    /// The task.
    pub task: TaskName,
    /// The attempt, if the transition was caused by one.
    pub attempt: Option<AttemptName>,
    /// The state before.
    pub from: &'static str,
    /// The state after.
    pub to: &'static str,
    /// The reason.
    pub reason: String,
}

/// A transaction with the rows that are saved when it ends.
pub struct UnitOfWork<'a, 't> {
    /// The transaction.
    pub tx: &'a mut Transaction<'t>,
    /// The time of the transaction.
    pub now: Time,
    /// The agent that acts; `None` for the tool itself.
    pub who: Option<Slug>,
    /// Whether changes are recorded that the agents of threads have made before.
    pub reconciles: bool,
    /// The transitions so far.
    pub changes: Vec<TaskTransition>,
    /// Threads of attempts that were cancelled here; their workers are stopped after the commit.
    pub cancelled_threads: Vec<ThreadId>,
    runs: BTreeMap<RunId, CachedRow<Run>>,
    tasks: Option<TaskCache>,
    queued_event: Option<NewEvent>,
}

/// A row in memory.
struct CachedRow<T> {
    row: T,
    is_dirty: bool,
}

/// Tasks that are loaded in batches and saved once.
#[derive(Default)]
struct TaskCache {
    tasks: BTreeMap<TaskId, CachedRow<Task>>,
    dependents: HashMap<TaskId, Vec<TaskId>>,
}

/// The event of a task's transition.
pub(crate) struct TransitionEvent {
    /// The event's kind.
    pub kind: EventKind,
    /// The thread that it is about.
    pub thread: Option<ThreadId>,
    /// The agent that caused it, if it is not the one that acts.
    pub agent: Option<Slug>,
    /// The reason, in words.
    pub reason: String,
    /// The event's data besides the states.
    pub data: Vec<(&'static str, EventDatum)>,
}

impl TransitionEvent {
    /// Creates an event without further data.
    pub(crate) fn without_data(kind: EventKind, reason: &str) -> Self {
        Self { kind, thread: None, agent: None, reason: reason.to_owned(), data: Vec::new() }
    }
}

impl<'a, 't> UnitOfWork<'a, 't> {
    /// Begins a unit of work of the tool itself.
    pub(crate) fn begin(tx: &'a mut Transaction<'t>, now: Time) -> Self {
        let (changes, cancelled_threads, runs) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self {
            tx,
            now,
            who: None,
            reconciles: false,
            changes,
            cancelled_threads,
            runs,
            tasks: None,
            queued_event: None,
        }
    }

    /// Loads a run, with its current counts.
    pub fn load_run(&mut self, id: RunId) -> Result<&mut Run, Error> {
        if !self.runs.contains_key(&id) {
            let row = lookup::load_run(self.tx, id)?;
            self.runs.insert(id, CachedRow { row, is_dirty: false });
        }
        self.runs.get_mut(&id).map(|cached| &mut cached.row).ok_or_else(|| lookup::missing_row("run", id.0))
    }

    /// Finds the named run, or the default run.
    pub fn resolve_run(&mut self, name: Option<&Slug>) -> Result<Run, Error> {
        let row = lookup::find_run(self.tx, name)?;
        let cached = self.runs.entry(row.id).or_insert(CachedRow { row, is_dirty: false });
        Ok(cached.row.clone())
    }

    /// Replaces a run, which is saved when the unit of work ends.
    pub fn replace_run(&mut self, run: Run) {
        self.runs.insert(run.id, CachedRow { row: run, is_dirty: true });
    }

    /// Counts a new task in its run.
    pub(crate) fn count_new_task(&mut self, run: RunId, state: TaskState) -> Result<(), Error> {
        self.update_run(run, |run| run.counts.add_task(state))
    }

    /// Changes a run, which is saved when the unit of work ends.
    pub(crate) fn update_run(&mut self, id: RunId, update: impl FnOnce(&mut Run)) -> Result<(), Error> {
        let now = self.now;
        let run = self.load_run(id)?;
        update(run);
        run.updated_at = now;
        if let Some(cached) = self.runs.get_mut(&id) {
            cached.is_dirty = true;
        }
        Ok(())
    }

    /// Loads several tasks with the edges to their dependents, and keeps tasks in memory until [`Self::save_tasks`].
    ///
    /// Until then every task must be loaded and saved by the unit of work.
    pub(crate) fn cache_tasks(&mut self, ids: &[TaskId]) -> Result<(), Error> {
        let mut dependents: HashMap<TaskId, Vec<TaskId>> = ids.iter().map(|id| (*id, Vec::new())).collect();
        let mut wanted = ids.to_vec();
        for (on, dependent) in dependency::list_dependents_many(self.tx, ids)? {
            dependents.entry(on).or_default().push(dependent);
            wanted.push(dependent);
        }
        let tasks = task::load_many(self.tx, &wanted)?;
        let rows = tasks.into_iter().map(|row| (row.id, CachedRow { row, is_dirty: false }));
        self.tasks = Some(TaskCache { tasks: rows.collect(), dependents });
        Ok(())
    }

    /// Saves the tasks in memory that changed, each once, and ends the caching.
    pub(crate) fn save_tasks(&mut self) -> Result<(), Error> {
        for cached in self.tasks.take().unwrap_or_default().tasks.into_values().filter(|task| task.is_dirty) {
            task::save(self.tx, &cached.row)?;
        }
        Ok(())
    }

    /// Loads a task by its id.
    pub(crate) fn load_task(&mut self, id: TaskId) -> Result<Task, Error> {
        if let Some(cached) = self.tasks.as_ref().and_then(|cache| cache.tasks.get(&id)) {
            return Ok(cached.row.clone());
        }
        lookup::load_task(self.tx, id)
    }

    /// Saves the state, the counters and the attempt of a task.
    pub(crate) fn save_task(&mut self, task: &Task) -> Result<(), Error> {
        match &mut self.tasks {
            Some(cache) => {
                cache.tasks.insert(task.id, CachedRow { row: task.clone(), is_dirty: true });
                Ok(())
            }
            None => Ok(task::save(self.tx, task)?),
        }
    }

    fn list_dependents(&mut self, on: TaskId) -> Result<Vec<TaskId>, Error> {
        if let Some(dependents) = self.tasks.as_ref().and_then(|cache| cache.dependents.get(&on)) {
            return Ok(dependents.clone());
        }
        Ok(dependency::list_dependents(self.tx, on)?)
    }

    /// Appends an event.
    pub fn append_event(
        &mut self,
        kind: EventKind,
        about: EventSubject,
        agent: Option<Slug>,
        data: Vec<(&'static str, EventDatum)>,
    ) -> Result<(), Error> {
        let by = match kind {
            // An expired lease is not an action of its holder.
            EventKind::Lost => self.who.clone(),
            _ if self.reconciles => agent.clone(),
            _ => self.who.clone(),
        };
        let agent = agent.or_else(|| self.who.clone());
        let event = NewEvent { kind, about, agent, by, data };
        match self.queued_event.take() {
            Some(first) => event::insert_pair(self.tx, &first, &event, self.now)?,
            None => event::insert(self.tx, &event, self.now)?,
        }
        Ok(())
    }

    /// Appends the events of those of some tasks that are waiting or ready and go to a state together.
    pub(crate) fn append_idle_transitions(
        &mut self,
        tasks: &[TaskId],
        transition: (EventKind, TaskState),
    ) -> Result<(), Error> {
        if let Some(first) = self.queued_event.take() {
            event::insert(self.tx, &first, self.now)?;
        }
        Ok(event::insert_idle_transitions(self.tx, tasks, transition, self.who.as_ref(), self.now)?)
    }

    /// Queues an event, to be written in one statement with the event that is appended next.
    pub(crate) fn queue_event(&mut self, event: NewEvent) {
        debug_assert!(self.queued_event.is_none(), "at most one event is queued");
        self.queued_event = Some(event);
    }

    /// Saves a task whose state changed; the transition is counted, recorded and propagated to its dependents.
    pub(crate) fn apply_transition(
        &mut self,
        before: &Task,
        after: &Task,
        event: TransitionEvent,
    ) -> Result<(), Error> {
        self.save_task(after)?;
        self.record_transition(before, after, event)?;
        self.propagate_to_dependents(before, after)
    }

    /// Counts a transition and appends its event.
    pub(crate) fn record_transition(
        &mut self,
        before: &Task,
        after: &Task,
        event: TransitionEvent,
    ) -> Result<(), Error> {
        let mut data = vec![("from", before.state.name().into()), ("to", after.state.name().into())];
        data.extend(event.data);
        let about = EventSubject {
            run: Some(after.run),
            task: Some(after.id),
            attempt: after.attempt.map(|attempt| attempt.id),
            thread: event.thread,
        };
        self.append_event(event.kind, about, event.agent, data)?;
        self.update_run(after.run, |run| run.counts.move_task(before.state, after.state))?;
        self.changes.push(TaskTransition {
            task: after.name.clone(),
            attempt: decide::attempt_name(after),
            from: before.state.name(),
            to: after.state.name(),
            reason: event.reason,
        });
        Ok(())
    }

    /// Propagates a transition to all transitive dependents, breadth first.
    fn propagate_to_dependents(&mut self, before: &Task, after: &Task) -> Result<(), Error> {
        let mut queue =
            VecDeque::from([(after.clone(), CounterDelta::between_states(before.state, after.state))]);
        while let Some((moved, delta)) = queue.pop_front() {
            if delta.is_none() {
                continue;
            }
            for id in self.list_dependents(moved.id)? {
                let dependent = self.load_task(id)?;
                let updated = self.recompute_readiness(&dependent, delta, &moved)?;
                let next = CounterDelta::between_states(dependent.state, updated.state);
                queue.push_back((updated, next));
            }
        }
        Ok(())
    }

    /// Updates a dependent after one of its dependencies moved.
    fn recompute_readiness(
        &mut self,
        dependent: &Task,
        delta: CounterDelta,
        cause: &Task,
    ) -> Result<Task, Error> {
        let (unmet, broken) = delta.apply(dependent.unmet, dependent.broken);
        let updated = decide::recompute_readiness(dependent, unmet, broken, self.now);
        self.save_task(&updated)?;
        if updated.state != dependent.state {
            let reason = format!("{} is {}", cause.name.key, cause.state.name());
            let event = TransitionEvent {
                data: vec![("because", cause.name.key.to_string().into())],
                ..TransitionEvent::without_data(readiness_event_kind(updated.state), &reason)
            };
            self.record_transition(dependent, &updated, event)?;
        }
        Ok(updated)
    }

    /// Changes a task's dependency counters, and the state that follows from them, with an event of this kind.
    pub(crate) fn adjust_dependency_counters(
        &mut self,
        before: &Task,
        delta: CounterDelta,
        kind: EventKind,
        on: &Slug,
    ) -> Result<Task, Error> {
        let (unmet, broken) = delta.apply(before.unmet, before.broken);
        let after = decide::recompute_readiness(before, unmet, broken, self.now);
        let event = TransitionEvent {
            data: vec![("on", on.to_string().into())],
            ..TransitionEvent::without_data(kind, "its dependencies were changed")
        };
        if after.state == before.state {
            self.save_task(&after)?;
            let about =
                EventSubject { run: Some(after.run), task: Some(after.id), ..EventSubject::default() };
            self.append_event(kind, about, None, event.data)?;
        } else {
            self.apply_transition(before, &after, event)?;
        }
        Ok(after)
    }

    /// Saves what is still in memory; returns the threads whose workers must be stopped after the commit.
    pub(crate) fn save_and_close(mut self) -> Result<Vec<ThreadId>, Error> {
        if let Some(event) = self.queued_event.take() {
            event::insert(self.tx, &event, self.now)?;
        }
        self.save_tasks()?;
        self.save_runs()?;
        Ok(self.cancelled_threads)
    }

    /// Saves the runs that changed.
    ///
    /// A run without unfinished tasks becomes finished, and a finished run with new work is reopened.
    pub(crate) fn save_runs(&mut self) -> Result<(), Error> {
        for (id, cached) in std::mem::take(&mut self.runs) {
            if !cached.is_dirty {
                continue;
            }
            let mut run = cached.row;
            if let Some(state) = run_decide::derive_run_state(&run.state, &run.counts) {
                run.state = state;
                let (kind, data) = run_state_event(&run.state);
                let about = EventSubject { run: Some(id), ..EventSubject::default() };
                self.append_event(kind, about, None, data)?;
                self.request_sweep(&run)?;
            }
            run::save(self.tx, &run)?;
        }
        Ok(())
    }

    /// Requests the removal of what only the next attempts of a run would need, if the run has ended.
    pub(crate) fn request_sweep(&mut self, run: &Run) -> Result<(), Error> {
        if run.ground.is_some() && !run.state.status().is_unfinished() {
            effect::insert(self.tx, run.id, &Effect::SweepWorktrees, self.now)?;
        }
        Ok(())
    }
}

/// Returns the event of a run whose tasks changed its state.
fn run_state_event(state: &RunState) -> (EventKind, Vec<(&'static str, EventDatum)>) {
    match state {
        RunState::Finished(outcome) => (EventKind::Finished, vec![("outcome", outcome.name().into())]),
        RunState::Open | RunState::Paused(_) | RunState::Cancelled => (EventKind::RunReopened, Vec::new()),
    }
}

/// Returns the event of a state that follows from a task's dependencies.
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
