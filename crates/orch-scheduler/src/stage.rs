//! Moving tasks inside one transaction: every change of state is saved, counted, told and carried to dependents here.

use std::collections::{BTreeMap, VecDeque};

use orch_core::dependency::Shift;
use orch_core::effect::EffectKind;
use orch_core::event::{About, Datum, EventKind, NewEvent};
use orch_core::id::{RunId, Slug, ThreadId};
use orch_core::run::{Run, RunState, decide as run_decide};
use orch_core::task::{Task, TaskState, decide};
use orch_core::time::Time;
use orch_store::driver::Durability;
use orch_store::table::{agent, dependency, effect, event, run, task, thread};
use orch_store::{Ending, Fault, Transaction};

use super::reconcile::Change;
use super::{reconcile, scope};
use orch_inbox::liveness;
use orch_inbox::{Answer, Error, Receipt, Session};

/// A transaction with what the scheduler keeps in hand until it ends: the runs whose counts change.
pub struct Stage<'a, 't> {
    /// The transaction.
    pub tx: &'a mut Transaction<'t>,
    /// Its time.
    pub now: Time,
    /// Who acts; `None` when it is the tool itself.
    pub who: Option<Slug>,
    /// Every change of a task's state so far.
    pub changes: Vec<Change>,
    /// Threads of attempts that were ended from here, whose workers are to go.
    pub ended: Vec<ThreadId>,
    runs: BTreeMap<RunId, Held>,
}

/// A run in hand.
struct Held {
    run: Run,
    changed: bool,
}

/// What is said of a task's change of state.
pub(crate) struct Told {
    /// The event's kind.
    pub kind: EventKind,
    /// The thread it is about.
    pub thread: Option<ThreadId>,
    /// Who caused it, where it is not the one who acts.
    pub agent: Option<Slug>,
    /// Why, in words.
    pub reason: String,
    /// What else the event says.
    pub data: Vec<(&'static str, Datum)>,
}

impl Told {
    /// An event without more to say.
    pub(crate) fn plain(kind: EventKind, reason: &str) -> Self {
        Self { kind, thread: None, agent: None, reason: reason.to_owned(), data: Vec::new() }
    }
}

impl<'a, 't> Stage<'a, 't> {
    /// Begins, with what workers reported taken in first, as if that had been a transaction of its own.
    pub(crate) fn fresh(tx: &'a mut Transaction<'t>, now: Time, who: Option<&Slug>) -> Result<Self, Error> {
        let mut stage =
            Self { tx, now, who: None, changes: Vec::new(), ended: Vec::new(), runs: BTreeMap::new() };
        reconcile::settle(&mut stage)?;
        stage.save_runs()?;
        stage.who = who.cloned();
        Ok(stage)
    }

    /// A run, with its counts as they are by now.
    pub fn run(&mut self, id: RunId) -> Result<&mut Run, Error> {
        if !self.runs.contains_key(&id) {
            let run = scope::run_of(self.tx, id)?;
            self.runs.insert(id, Held { run, changed: false });
        }
        self.runs.get_mut(&id).map(|held| &mut held.run).ok_or_else(|| scope::missing("run", id.0))
    }

    /// The named run, or the one that is meant when none is named.
    pub(crate) fn named_run(&mut self, name: Option<&Slug>) -> Result<Run, Error> {
        let run = scope::one_run(self.tx, name)?;
        let held = self.runs.entry(run.id).or_insert(Held { run, changed: false });
        Ok(held.run.clone())
    }

    /// Puts a changed run back in hand.
    pub fn put_run(&mut self, run: Run) {
        self.runs.insert(run.id, Held { run, changed: true });
    }

    /// Counts a task that was added in this state.
    pub(crate) fn count_new(&mut self, run: RunId, state: TaskState) -> Result<(), Error> {
        let now = self.now;
        let held = self.run(run)?;
        held.counts.add(state);
        held.updated_at = now;
        self.mark(run);
        Ok(())
    }

    fn mark(&mut self, id: RunId) {
        if let Some(held) = self.runs.get_mut(&id) {
            held.changed = true;
        }
    }

    /// Appends an event.
    pub fn tell(
        &mut self,
        kind: EventKind,
        about: About,
        agent: Option<Slug>,
        data: Vec<(&'static str, Datum)>,
    ) -> Result<(), Error> {
        let agent = agent.or_else(|| self.who.clone());
        event::insert(self.tx, &NewEvent { kind, about, agent, data }, self.now)?;
        Ok(())
    }

    /// Saves a task that moved; a change of state is told, counted, and carried to the tasks that wait for it.
    pub(crate) fn move_task(&mut self, before: &Task, after: &Task, told: Told) -> Result<(), Error> {
        task::save(self.tx, after)?;
        self.note(before, after, told)?;
        self.carry(before, after)
    }

    /// Tells and counts a change of state.
    fn note(&mut self, before: &Task, after: &Task, told: Told) -> Result<(), Error> {
        let attempt = after.attempt;
        let mut data = told.data;
        data.insert(0, ("to", after.state.name().into()));
        data.insert(0, ("from", before.state.name().into()));
        let about = About {
            run: Some(after.run),
            task: Some(after.id),
            attempt: attempt.map(|attempt| attempt.id),
            thread: told.thread,
        };
        self.tell(told.kind, about, told.agent, data)?;
        let now = self.now;
        let run = self.run(after.run)?;
        run.counts.shift(before.state, after.state);
        run.updated_at = now;
        self.mark(after.run);
        self.changes.push(Change {
            task: after.name.clone(),
            attempt: decide::attempt_name(after),
            from: before.state.name(),
            to: after.state.name(),
            reason: told.reason,
        });
        Ok(())
    }

    /// Carries a task's change of state to its dependents, and theirs to theirs, breadth first.
    fn carry(&mut self, before: &Task, after: &Task) -> Result<(), Error> {
        let mut queue = VecDeque::from([(after.clone(), Shift::between(before.state, after.state))]);
        while let Some((moved, shift)) = queue.pop_front() {
            if shift.is_none() {
                continue;
            }
            for id in dependency::dependents(self.tx, moved.id)? {
                let dependent = task::load(self.tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
                let stood = self.stand(&dependent, shift, &moved)?;
                queue.push_back((stood.clone(), Shift::between(dependent.state, stood.state)));
            }
        }
        Ok(())
    }

    /// One dependent after a dependency of it moved.
    fn stand(&mut self, dependent: &Task, shift: Shift, because: &Task) -> Result<Task, Error> {
        let (unmet, broken) = shift.apply(dependent.unmet, dependent.broken);
        let stood = decide::stand(dependent, unmet, broken, self.now);
        task::save(self.tx, &stood)?;
        if stood.state != dependent.state {
            let reason = format!("{} is {}", because.name.key, because.state.name());
            let data = vec![("because", because.name.key.to_string().into())];
            let told = Told { data, ..Told::plain(standing_kind(stood.state), &reason) };
            self.note(dependent, &stood, told)?;
        }
        Ok(stood)
    }

    /// Moves a task's dependency counters, and its state where it follows them; the event is the caller's kind.
    pub(crate) fn shift_counters(
        &mut self,
        before: &Task,
        shift: Shift,
        kind: EventKind,
        on: &Slug,
    ) -> Result<Task, Error> {
        let (unmet, broken) = shift.apply(before.unmet, before.broken);
        let after = decide::stand(before, unmet, broken, self.now);
        let told = Told {
            data: vec![("on", on.to_string().into())],
            ..Told::plain(kind, "its dependencies were changed")
        };
        if after.state == before.state {
            task::save(self.tx, &after)?;
            let about = About { run: Some(after.run), task: Some(after.id), ..About::default() };
            self.tell(kind, about, None, told.data)?;
        } else {
            self.move_task(before, &after, told)?;
        }
        Ok(after)
    }

    /// Ends.
    pub(crate) fn close(mut self) -> Result<Vec<Change>, Error> {
        self.save_runs()?;
        Ok(self.changes)
    }

    /// Saves the runs that changed; one without unfinished tasks is finished, one that got work is open again.
    fn save_runs(&mut self) -> Result<(), Error> {
        for (id, held) in std::mem::take(&mut self.runs) {
            let mut run = held.run;
            if !held.changed {
                continue;
            }
            let settled = run_decide::settle(&run.state, &run.counts);
            if let Some(state) = settled {
                run.state = state;
                let (kind, data) = run_event(&run.state);
                self.tell(kind, About { run: Some(id), ..About::default() }, None, data)?;
                self.ask_for_sweep(&run)?;
            }
            run::save(self.tx, &run)?;
        }
        Ok(())
    }
}

impl Stage<'_, '_> {
    /// A run that is over leaves nothing that only its next attempts would need.
    pub(crate) fn ask_for_sweep(&mut self, run: &Run) -> Result<(), Error> {
        if run.ground.is_some() && !run.state.status().unfinished() {
            effect::insert(self.tx, EffectKind::Sweep, run.id, None, self.now)?;
        }
        Ok(())
    }
}

/// What is told of a run whose tasks changed its state.
fn run_event(state: &RunState) -> (EventKind, Vec<(&'static str, Datum)>) {
    match state {
        RunState::Finished(outcome) => (EventKind::Finished, vec![("outcome", outcome.name().into())]),
        RunState::Open | RunState::Paused(_) | RunState::Cancelled => (EventKind::RunReopened, Vec::new()),
    }
}

/// The event of a standing that a task takes by its dependencies.
fn standing_kind(state: TaskState) -> EventKind {
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
    let current = session
        .read(|tx, now| if thread::news(tx, now)?.any() { Ok(None) } else { work(tx, now).map(Some) })?;
    if let Some(outcome) = current {
        return Ok(outcome);
    }
    let settled = session.write(Durability::Power, |tx, now| {
        Stage::fresh(tx, now, None)?.close()?;
        // What the reader is refused must not undo what was reconciled.
        Ok(Ending::Keep(work(tx, now)))
    });
    match settled {
        // Nothing can be written here: what is known is told as it stands.
        Err(Error::Store(Fault::ReadOnly { .. })) => session.read(work),
        settled => settled?,
    }
}

/// A change by the lead: what workers reported is taken in first, then `work` decides, all in one transaction.
pub(crate) fn change<T>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
    who: &Slug,
    mut work: impl FnMut(&mut Stage<'_, '_>) -> Result<T, Error>,
) -> Result<Answer<T>, Error> {
    let mut ended = Vec::new();
    let answer = session.change(receipt, |tx, now| {
        agent::see(tx, who, now)?;
        let mut stage = Stage::fresh(tx, now, Some(who))?;
        let outcome = work(&mut stage)?;
        ended = std::mem::take(&mut stage.ended);
        stage.close()?;
        Ok(Ending::Keep(outcome))
    })?;
    liveness::ask_those_of(session, &ended)?;
    Ok(answer)
}
