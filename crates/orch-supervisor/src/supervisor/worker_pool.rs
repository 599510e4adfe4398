//! Who works: profiles with how many of each, and which task goes to which.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use orch_core::id::{RunId, Slug, TaskId, ThreadId};
use orch_core::limit;
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::thread::{ThreadState, ThreadStatus};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::{attempt, profile_cooldown, task as task_table, thread, worker};

use super::background::BackgroundWork;
use super::budget_watch::BudgetWatch;
use crate::wrapper::ProgramPaths;
use orch_inbox::{Error, Session};
use orch_process::detached::{DetachedProcess, start_detached};
use orch_profile::{ProfileReference, ProfileRegistry};
use orch_scheduler::dispatch::{self, DispatchAllRequest};

/// Workers of one profile.
#[derive(Clone, Debug)]
pub struct ProfileSlots {
    /// The profile's name, which its workers' agent has.
    pub profile: Slug,
    /// How it is named to the wrapper: a name or a path.
    pub reference: String,
    /// How many at once.
    pub limit: usize,
}

/// All that work.
pub struct WorkerPool {
    /// The profiles, in the order in which they are asked.
    pub seats: Vec<ProfileSlots>,
    /// How many at once, of all profiles together.
    pub workers: usize,
    /// Where profiles that only tasks name are looked for.
    pub shelf: ProfileRegistry,
    /// How long one attempt may take.
    pub attempt_limit: Option<orch_core::time::TimeSpan>,
    /// Whether workers that print nothing for too long are ended.
    pub ends_silent: bool,
    /// How many attempts at once at tasks with a label.
    pub labels: BTreeMap<Slug, usize>,
    /// Wrappers that were started and have not said so yet.
    starting: BTreeMap<ThreadId, StartingWrapper>,
    /// Wrappers that are our children, to be taken note of when they end.
    children: Vec<DetachedProcess>,
    /// Names that are no profile.
    strangers: BTreeSet<Slug>,
}

/// A wrapper that was started and has not said so yet.
struct StartingWrapper {
    since: Instant,
    profile: Slug,
    child: DetachedProcess,
}

/// What is under way in a run.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkerCounts {
    pub workers: usize,
    /// The processes of the wrappers that have claimed their work, as texts.
    pub processes: Vec<String>,
    /// Those of them that wait for an answer, without a process that works.
    pub waiting: usize,
    pub others: usize,
}

/// How long a wrapper may take until it has claimed its work.
const START: Duration = Duration::from_secs(30);

/// Whose a task is.
enum TaskRecipient {
    /// A profile's.
    Profile(Slug),
    /// An agent's that we do not start.
    ExternalAgent(Slug),
    /// Nobody's, for now or at all.
    Nobody,
}

impl WorkerPool {
    /// A crew of these profiles.
    #[must_use]
    pub fn new(seats: Vec<ProfileSlots>, workers: usize, shelf: ProfileRegistry) -> Self {
        Self {
            seats,
            workers,
            shelf,
            attempt_limit: None,
            ends_silent: false,
            labels: BTreeMap::new(),
            starting: BTreeMap::new(),
            children: Vec::new(),
            strangers: BTreeSet::new(),
        }
    }

    /// Dispatches what is ready, as far as there is somebody to do it.
    pub(super) fn dispatch_ready(
        &mut self,
        session: &mut Session,
        run: &Run,
        (chores, told): (&mut BackgroundWork, &mut BudgetWatch),
        who: &Slug,
    ) -> Result<(), Error> {
        let mut taken = self.used_slots(session)?;
        // What was sent has its place before its wrapper is there.
        for (thread, agent) in unclaimed_dispatches(session, run)? {
            if !self.starting.contains_key(&thread) && self.slots_for_profile(&agent).is_some() {
                *taken.entry(agent).or_default() += 1;
            }
        }
        let room = self.workers.saturating_sub(taken.values().sum::<usize>() + chores.dispatch_count());
        let wanted = u32::try_from(room).unwrap_or(u32::MAX).saturating_add(limit::LIST_DEFAULT);
        let ready = session.read(|tx, now| Ok(task_table::list_ready(tx, run.id, None, now, wanted, 0)?))?;
        let mut room = room;
        let mut together: BTreeMap<Slug, u32> = BTreeMap::new();
        let mut attempts = run
            .budget
            .attempts_left(run.spent)
            .map(|left| usize::try_from(left).unwrap_or(usize::MAX).saturating_sub(chores.dispatch_count()));
        let mut labels = self.remaining_label_slots(session, run, &ready, chores)?;
        for task in ready {
            if attempts == Some(0) {
                break;
            }
            if task.labels.iter().any(|label| labels.get(label) == Some(&0)) {
                continue;
            }
            if task.attempt.is_some() && told.enforce_task_budget(session, run, task.id)? {
                return Ok(());
            }
            let (to, ours) = match self.choose_recipient(session, &task, &taken, room)? {
                TaskRecipient::Profile(profile) => (profile, true),
                TaskRecipient::ExternalAgent(agent) => (agent, false),
                TaskRecipient::Nobody => continue,
            };
            if run.ground.is_some() {
                if !chores.start_dispatch(&task, to.clone()) {
                    continue;
                }
            } else if !ours || task.agent.is_some() {
                Self::dispatch_one(session, who, &task, &to)?;
            } else {
                *together.entry(to.clone()).or_default() += 1;
            }
            attempts = attempts.map(|left| left - 1);
            for label in &task.labels {
                labels.entry(label.clone()).and_modify(|left| *left = left.saturating_sub(1));
            }
            if ours {
                room = room.saturating_sub(1);
                *taken.entry(to).or_default() += 1;
            }
        }
        // Those that nobody was named for go out in one transaction.
        for (to, count) in together {
            let all = DispatchAllRequest { run: Some(run.name.clone()), to: vec![to], limit: count };
            dispatch::dispatch_all_ready(session, None, who, &all)?;
        }
        Ok(())
    }

    /// How many more attempts may be made at tasks with each of the labels that are bounded.
    fn remaining_label_slots(
        &self,
        session: &mut Session,
        run: &Run,
        ready: &[Task],
        chores: &BackgroundWork,
    ) -> Result<BTreeMap<Slug, usize>, Error> {
        let mut left = self.labels.clone();
        if left.is_empty() {
            return Ok(left);
        }
        let at_work = session.read(|tx, _| {
            let mut at_work = Vec::new();
            for state in [TaskState::Dispatched, TaskState::Running, TaskState::Blocked] {
                at_work.extend(task_table::list_in_state(tx, run.id, state, TaskId(0), limit::LIST_DEFAULT)?);
            }
            Ok(at_work)
        })?;
        let begun = ready.iter().filter(|task| chores.is_dispatching(task.id));
        for label in at_work.iter().chain(begun).flat_map(|task| &task.labels) {
            left.entry(label.clone()).and_modify(|left| *left = left.saturating_sub(1));
        }
        Ok(left)
    }

    fn dispatch_one(session: &mut Session, who: &Slug, task: &Task, to: &Slug) -> Result<(), Error> {
        let wanted =
            orch_scheduler::TaskSelector { run: Some(task.name.run.clone()), key: task.name.key.clone() };
        match dispatch::dispatch_task(session, None, who, &wanted, Some(to)) {
            // Somebody else was faster, or the run is full.
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Whose a task is, with so much room left.
    fn choose_recipient(
        &mut self,
        session: &mut Session,
        task: &Task,
        taken: &BTreeMap<Slug, usize>,
        room: usize,
    ) -> Result<TaskRecipient, Error> {
        let used = |profile: &Slug| taken.get(profile).copied().unwrap_or(0);
        if let Some(agent) = &task.agent {
            if self.slots_for_profile(agent).is_none() {
                return Ok(TaskRecipient::ExternalAgent(agent.clone()));
            }
            let limit = self.slots_for_profile(agent).map_or(0, |seat| seat.limit);
            let free = room > 0 && used(agent) < limit && !is_cooling_down(session, agent)?;
            return Ok(if free { TaskRecipient::Profile(agent.clone()) } else { TaskRecipient::Nobody });
        }
        if room == 0 {
            return Ok(TaskRecipient::Nobody);
        }
        for seat in self.seats.clone() {
            if used(&seat.profile) < seat.limit && !is_cooling_down(session, &seat.profile)? {
                return Ok(TaskRecipient::Profile(seat.profile));
            }
        }
        Ok(TaskRecipient::Nobody)
    }

    /// The seat of a profile; one that only a task names gets one as well.
    pub(super) fn slots_for_profile(&mut self, name: &Slug) -> Option<ProfileSlots> {
        if let Some(seat) = self.seats.iter().find(|seat| seat.profile == *name) {
            return Some(seat.clone());
        }
        if self.strangers.contains(name) {
            return None;
        }
        if self.shelf.load_profile(&ProfileReference::Name(name.clone())).is_err() {
            self.strangers.insert(name.clone());
            return None;
        }
        let seat = ProfileSlots { profile: name.clone(), reference: name.to_string(), limit: self.workers };
        Some(seat)
    }

    /// How many workers each profile has, those included that are about to have one.
    fn used_slots(&mut self, session: &mut Session) -> Result<BTreeMap<Slug, usize>, Error> {
        let (live, waiting) = load_live_workers(session, None)?;
        self.settle_starting(session, &live)?;
        let mut taken = BTreeMap::new();
        // Who waits for an answer has no process, and leaves its place to others.
        let names =
            live.into_iter().filter(|row| !waiting.contains(&row.thread)).filter_map(|row| row.profile);
        for name in names.chain(self.starting.values().map(|one| one.profile.clone())) {
            *taken.entry(name).or_default() += 1;
        }
        Ok(taken)
    }

    /// Takes note of wrappers that have said that they are there, and of those that have ended: one may do both between
    /// two looks. One that ended and left its work where it was is not started again at once.
    fn settle_starting(&mut self, session: &mut Session, live: &[Worker]) -> Result<(), Error> {
        let now = Instant::now();
        let mut over = BTreeSet::new();
        for (thread, one) in &mut self.starting {
            let is_there = live.iter().any(|row| row.thread == *thread);
            let is_over = is_there
                || now >= one.since + START
                || (one.child.has_ended() && !session.read(|tx, _| is_queued(tx, *thread))?);
            if is_over {
                over.insert(*thread);
            }
        }
        let over = self.starting.extract_if(.., |thread, _| over.contains(thread));
        self.children.extend(over.map(|(_, one)| one.child));
        self.children.retain_mut(|child| !child.has_ended());
        Ok(())
    }

    /// Whether a wrapper that was started from here is still there.
    pub(super) fn has_children(&mut self) -> bool {
        self.children.retain_mut(|child| !child.has_ended());
        !self.children.is_empty()
    }

    /// Counts what is under way in a run.
    pub(super) fn count_active(&mut self, session: &mut Session, run: &Run) -> Result<WorkerCounts, Error> {
        let (live, waiting) = load_live_workers(session, Some(run.id))?;
        self.settle_starting(session, &live)?;
        let active = usize::try_from(run.counts.active()).unwrap_or(0);
        let workers = live.len() + self.starting.len();
        let others = active.saturating_sub(live.len());
        let processes = live.into_iter().map(|row| row.process).collect();
        Ok(WorkerCounts { workers, processes, waiting: waiting.len(), others })
    }

    /// Starts a wrapper for each attempt that waits for one of our profiles; says how many.
    pub(super) fn start_wrappers(
        &mut self,
        session: &mut Session,
        run: &Run,
        programs: &ProgramPaths,
        store: &str,
    ) -> Result<usize, Error> {
        if run.counts.in_state(TaskState::Dispatched) == 0 || run.state.status() != RunStatus::Open {
            return Ok(0);
        }
        let mut taken = self.used_slots(session)?;
        let mut begun = 0;
        // A wrapper that has given its work back writes down next how it ended, and whether its profile rests.
        let ending: BTreeSet<ThreadId> =
            load_live_workers(session, Some(run.id))?.0.iter().map(|row| row.thread).collect();
        for (thread, agent) in unclaimed_dispatches(session, run)? {
            if ending.contains(&thread) {
                continue;
            }
            let Some(seat) = self.slots_for_profile(&agent) else { continue };
            let used = taken.get(&agent).copied().unwrap_or(0);
            let all: usize = taken.values().sum();
            if self.starting.contains_key(&thread) || used >= seat.limit || all >= self.workers {
                continue;
            }
            if is_cooling_down(session, &agent)? {
                continue;
            }
            let words = self.wrapper_arguments(programs, store, thread, &seat);
            let folder = session.store_folder().to_owned();
            let child = start_detached(&words, &folder, session.world().environment(), None);
            let child = child.map_err(|source| Error::File {
                doing: "start",
                path: programs.inbox.clone(),
                source,
            })?;
            let starting = StartingWrapper { since: Instant::now(), profile: agent.clone(), child };
            self.starting.insert(thread, starting);
            *taken.entry(agent).or_default() += 1;
            begun += 1;
        }
        Ok(begun)
    }

    fn wrapper_arguments(
        &self,
        programs: &ProgramPaths,
        store: &str,
        thread: ThreadId,
        seat: &ProfileSlots,
    ) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            vec![programs.inbox.clone().into(), "run".into(), thread.to_string().into()];
        words.extend(["--store".into(), store.into()]);
        words.extend(["--as".into(), seat.profile.as_str().into()]);
        words.extend(["--profile".into(), seat.reference.clone().into()]);
        if let Some(limit) = self.attempt_limit {
            words.extend(["--limit".into(), format!("{}ms", limit.0).into()]);
        }
        if self.ends_silent {
            words.push("--end-silent".into());
        }
        words.push("--json".into());
        words
    }

    /// When the first profile that rests may work again.
    pub(super) fn next_cooldown_end(&self, session: &mut Session) -> Result<Option<Time>, Error> {
        session.read(|tx, now| {
            let rests = profile_cooldown::list_all(tx)?;
            Ok(rests.into_iter().filter_map(|rest| rest.until).filter(|until| *until > now).min())
        })
    }

    /// The first of these runs, if nobody is there for anything that is ready, and nothing else is under way.
    pub(super) fn find_stuck_run(&self, session: &mut Session, runs: &[Run]) -> Result<Option<Slug>, Error> {
        for run in runs.iter().filter(|run| run.state.status() == RunStatus::Open) {
            if run.counts.active() > 0
                || run.counts.in_state(TaskState::Reported) > 0
                || run.counts.total() == 0
            {
                return Ok(None);
            }
            let ready = session
                .read(|tx, now| Ok(task_table::list_ready(tx, run.id, None, now, limit::LIST_DEFAULT, 0)?))?;
            for task in ready {
                let nobody = task.agent.is_none() && self.seats.is_empty();
                if !nobody {
                    return Ok(None);
                }
            }
        }
        Ok(runs.iter().find(|run| run.state.status() == RunStatus::Open).map(|run| run.name.clone()))
    }
}

/// The workers that live, and the threads of those that wait for an answer.
fn load_live_workers(
    session: &mut Session,
    run: Option<RunId>,
) -> Result<(Vec<Worker>, BTreeSet<ThreadId>), Error> {
    session.read(|tx, _| {
        let live = worker::list_live(tx, run)?;
        let mut waiting = BTreeSet::new();
        for row in &live {
            if thread::load(tx, row.thread)?
                .is_some_and(|found| found.state.status() == ThreadStatus::Blocked)
            {
                waiting.insert(row.thread);
            }
        }
        Ok((live, waiting))
    })
}

/// Whether nobody has claimed a thread that somebody may claim.
fn is_queued(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<bool, Error> {
    let found = thread::load(tx, thread)?;
    Ok(found.is_some_and(|found| found.state == ThreadState::Queued && !found.withdrawn))
}

/// Whether a profile's workers are not started for now.
fn is_cooling_down(session: &mut Session, profile: &Slug) -> Result<bool, Error> {
    session.read(|tx, now| {
        let rest = profile_cooldown::load(tx, profile)?;
        Ok(rest.and_then(|rest| rest.until).is_some_and(|until| until > now))
    })
}

/// The threads of a run's dispatched attempts that nobody has claimed, with whom they were sent to.
pub(super) fn unclaimed_dispatches(session: &mut Session, run: &Run) -> Result<Vec<(ThreadId, Slug)>, Error> {
    session.read(|tx, _| {
        let mut waiting = Vec::new();
        for task in task_table::list_in_state(tx, run.id, TaskState::Dispatched, TaskId(0), 1_000)? {
            let Some(last) = task.attempt else { continue };
            let Some(id) = attempt::load(tx, last.id)?.and_then(|attempt| attempt.thread) else { continue };
            let Some(found) = thread::load(tx, id)? else { continue };
            if found.state == ThreadState::Queued && !found.withdrawn {
                waiting.push((id, found.head.to));
            }
        }
        Ok(waiting)
    })
}
