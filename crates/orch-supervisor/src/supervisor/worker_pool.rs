//! The worker pool: profiles, how many workers each may have, and the wrappers that were started.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use orch_core::id::{Slug, ThreadId};
use orch_core::known_agents::KnownAgents;
use orch_core::run::{Budget, RunStatus};
use orch_core::task::TaskState;
use orch_core::time::TimeSpan;
use orch_inbox::{Error, Session};
use orch_process::detached::{DetachedProcess, start_detached};
use orch_profile::{ProfileReference, ProfileRegistry};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::worker::{self, LiveWorker};

use super::scope::DriveScope;
use super::snapshot::{PassSnapshot, RunSnapshot, is_waiting};
use crate::wrapper::ProgramPaths;

/// The worker slots of one profile.
#[derive(Clone, Debug)]
pub struct ProfileSlots {
    /// The profile's name, which is also the agent name of its workers.
    pub profile: Slug,
    /// The profile's name or path, for the wrapper's command line.
    pub reference: String,
    /// The largest number of workers.
    pub limit: usize,
}

/// The workers that a supervisor may start.
pub struct WorkerPool {
    /// The profiles, in order of preference.
    pub seats: Vec<ProfileSlots>,
    /// The largest number of workers of all profiles together.
    pub workers: usize,
    /// Where profiles are found that only tasks name.
    pub shelf: ProfileRegistry,
    /// The time limit of an attempt.
    pub attempt_limit: Option<TimeSpan>,
    /// Whether workers that print nothing for too long are ended.
    pub ends_silent: bool,
    /// The largest number of live attempts at tasks with a label.
    pub labels: BTreeMap<Slug, usize>,
    /// Wrappers that have not claimed their work yet.
    starting: BTreeMap<ThreadId, StartingWrapper>,
    /// Wrappers that are child processes and have to be reaped when they exit.
    children: Vec<DetachedProcess>,
    /// Names of agents that have no profile.
    without_profile: BTreeSet<Slug>,
    /// The profile that got the last task that names no agent.
    last_chosen: Option<Slug>,
    /// Profiles that cost nothing, or whose cost is left out of account, and agents that are people.
    known: KnownAgents,
    /// Whether profiles whose cost is not known are used under a limit of cost, and left out of account.
    pub allows_unmetered: bool,
}

/// A wrapper that has not claimed its work yet.
struct StartingWrapper {
    since: Instant,
    profile: Slug,
    child: DetachedProcess,
}

/// What is running in a run.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkerCounts {
    pub workers: usize,
    /// The wrapper processes of workers that have claimed their work, in text form.
    pub processes: Vec<String>,
    /// The number of workers that wait for an answer.
    pub waiting: usize,
    /// The number of live attempts of agents without a profile.
    pub others: usize,
}

/// The number of workers of each profile.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotUsage(BTreeMap<Slug, usize>);

impl SlotUsage {
    pub(super) fn of_profile(&self, profile: &Slug) -> usize {
        self.0.get(profile).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> usize {
        self.0.values().sum()
    }

    pub(super) fn take_slot(&mut self, profile: Slug) {
        *self.0.entry(profile).or_default() += 1;
    }

    pub(super) fn free_slot(&mut self, profile: &Slug) {
        if let Some(used) = self.0.get_mut(profile) {
            *used = used.saturating_sub(1);
        }
    }
}

/// The longest time from the start of a wrapper until it has claimed its work.
const START_MAX: Duration = Duration::from_secs(30);

impl WorkerPool {
    /// Creates a pool of these profiles.
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
            without_profile: BTreeSet::new(),
            last_chosen: None,
            known: KnownAgents::default(),
            allows_unmetered: false,
        }
    }

    /// Names the agents that are people.
    pub fn name_humans(&mut self, humans: BTreeSet<Slug>) {
        self.known.humans = humans;
    }

    /// Returns the profiles for which nothing is set aside under a limit of cost, and the agents that are people.
    pub(super) fn known_agents(&self) -> &KnownAgents {
        &self.known
    }

    /// Notes which profiles cost nothing, and returns those under which the run's limits of cost cannot hold.
    pub fn check_metering(&mut self, budget: &Budget) -> Vec<Slug> {
        let mut unmetered = Vec::new();
        for seat in self.seats.clone() {
            let reference = seat.reference.parse::<ProfileReference>();
            let Some(profile) = reference.ok().and_then(|reference| self.shelf.load_profile(&reference).ok())
            else {
                continue;
            };
            let holds = profile.holds_cost_limit(budget.fixed_reserve().is_some());
            if profile.is_free || (self.allows_unmetered && !holds) {
                self.known.free.insert(seat.profile);
            } else if budget.limits_cost() && !holds {
                unmetered.push(seat.profile);
            }
        }
        unmetered
    }

    /// Returns the slots of a profile. A profile that only a task names may use all workers.
    pub(super) fn slots_for_profile(&mut self, name: &Slug) -> Option<ProfileSlots> {
        if let Some(slots) = self.seats.iter().find(|slots| slots.profile == *name) {
            return Some(slots.clone());
        }
        if self.without_profile.contains(name) {
            return None;
        }
        let Ok(profile) = self.shelf.load_profile(&ProfileReference::Name(name.clone())) else {
            self.without_profile.insert(name.clone());
            return None;
        };
        if profile.is_free || (self.allows_unmetered && !profile.holds_cost_limit(true)) {
            self.known.free.insert(name.clone());
        }
        Some(ProfileSlots { profile: name.clone(), reference: name.to_string(), limit: self.workers })
    }

    /// Chooses the profile for a task that names no agent: the one with the most free slots, and of several the next in turn.
    pub(super) fn choose_free_seat(&mut self, usage: &SlotUsage, snapshot: &PassSnapshot) -> Option<Slug> {
        if usage.total() >= self.workers {
            return None;
        }
        let last = self.seats.iter().position(|seat| Some(&seat.profile) == self.last_chosen.as_ref());
        let (before, after) = self.seats.split_at(last.map_or(0, |last| last + 1));
        let in_turn = after.iter().chain(before).filter(|seat| !snapshot.is_cooling_down(&seat.profile));
        let mut most_free: Option<(usize, &Slug)> = None;
        for seat in in_turn {
            let free = seat.limit.saturating_sub(usage.of_profile(&seat.profile));
            if free > most_free.map_or(0, |(most, _)| most) {
                most_free = Some((free, &seat.profile));
            }
        }
        self.last_chosen = most_free.map(|(_, profile)| profile.clone()).or(self.last_chosen.take());
        most_free.map(|(_, profile)| profile.clone())
    }

    /// Whether a wrapper was started for a thread that has not claimed it yet.
    pub(super) fn is_starting(&self, thread: ThreadId) -> bool {
        self.starting.contains_key(&thread)
    }

    /// Counts the workers of each profile, including starting ones and, if wanted, dispatched attempts without a wrapper.
    pub(super) fn used_slots(&mut self, snapshot: &PassSnapshot, with_unclaimed: bool) -> SlotUsage {
        let mut usage = SlotUsage::default();
        // A worker that waits for an answer has no process, so it leaves its slot to others.
        let working = snapshot.live.iter().filter(|live| !is_waiting(live));
        let working = working.filter_map(|live| live.worker.profile.clone());
        for profile in working.chain(self.starting.values().map(|wrapper| wrapper.profile.clone())) {
            usage.take_slot(profile);
        }
        let unclaimed = snapshot.runs.iter().flat_map(|run| &run.unclaimed).filter(|_| with_unclaimed);
        for (thread, agent) in unclaimed {
            if !self.starting.contains_key(thread) && self.slots_for_profile(agent).is_some() {
                usage.take_slot(agent.clone());
            }
        }
        usage
    }

    /// Gives workers with an answer to their question the slots that are free.
    pub(super) fn resume_answered(
        &mut self,
        session: &mut Session,
        snapshot: &PassSnapshot,
        scope: &DriveScope,
    ) -> Result<(), Error> {
        let chosen = self.choose_resumed(snapshot, scope);
        if chosen.is_empty() {
            return Ok(());
        }
        session.write(WriteDurability::Process, |tx, _| {
            for thread in &chosen {
                worker::set_awaiting_slot(tx, *thread, None)?;
            }
            Ok(TxEnd::Commit(()))
        })
    }

    /// Chooses the workers with an answer to their question for which a slot is free, so that they may start again.
    ///
    /// They have their slots before work that has not begun.
    fn choose_resumed(&mut self, snapshot: &PassSnapshot, scope: &DriveScope) -> Vec<ThreadId> {
        let mut waiting: Vec<&LiveWorker> = snapshot.live.iter().filter(|live| live.awaits_slot).collect();
        if waiting.is_empty() {
            return Vec::new();
        }
        let mut running = self.used_slots(snapshot, false);
        waiting.iter().filter_map(|live| live.worker.profile.as_ref()).for_each(|it| running.free_slot(it));
        waiting.retain(|live| scope.covers(live.run));
        let mut chosen = Vec::new();
        for live in waiting {
            if let Some(profile) = &live.worker.profile {
                let limit = self.slots_for_profile(profile).map_or(usize::MAX, |slots| slots.limit);
                let is_full = running.total() >= self.workers || running.of_profile(profile) >= limit;
                // Without any worker nothing would ever become free.
                if is_full && running.total() > 0 {
                    continue;
                }
                running.take_slot(profile.clone());
            }
            chosen.push(live.worker.thread);
        }
        chosen
    }

    /// Forgets starting wrappers that have claimed their work, have exited, or took too long.
    ///
    /// A wrapper that exited and left its work unclaimed keeps its entry, so that it is not started again at once.
    pub(super) fn settle_starting(&mut self, snapshot: &PassSnapshot) {
        let (now, live) = (Instant::now(), snapshot.live_threads());
        let settled = self.starting.extract_if(.., |thread, wrapper| {
            live.contains(thread)
                || now >= wrapper.since + START_MAX
                || (!snapshot.is_unclaimed(*thread) && wrapper.child.has_ended())
        });
        let settled: Vec<DetachedProcess> = settled.map(|(_, wrapper)| wrapper.child).collect();
        self.children.extend(settled);
        self.children.retain_mut(|child| !child.has_ended());
    }

    /// Whether a wrapper that this process started is still running.
    pub(super) fn has_children(&mut self) -> bool {
        self.children.retain_mut(|child| !child.has_ended());
        !self.children.is_empty()
    }

    /// Counts what is running in a run.
    pub(super) fn count_active(&self, snapshot: &PassSnapshot, run: &RunSnapshot) -> WorkerCounts {
        let processes: Vec<String> =
            snapshot.live_of(&run.run).map(|live| live.worker.process.clone()).collect();
        let active = usize::try_from(run.run.counts.active()).unwrap_or(0);
        WorkerCounts {
            workers: processes.len() + self.starting.len(),
            waiting: snapshot.live_of(&run.run).filter(|live| is_waiting(live)).count(),
            others: active.saturating_sub(processes.len()),
            processes,
        }
    }

    /// Starts a wrapper for each unclaimed attempt of our profiles, and returns their number.
    pub(super) fn start_wrappers(
        &mut self,
        session: &mut Session,
        snapshot: &PassSnapshot,
        run: &RunSnapshot,
        programs: &ProgramPaths,
        store: &str,
    ) -> Result<usize, Error> {
        if run.run.state.status() != RunStatus::Open {
            return Ok(0);
        }
        let mut usage = self.used_slots(snapshot, false);
        // A worker that gave its work back itself may still be running.
        let releasing = snapshot.live_threads();
        let mut started = 0;
        for (thread, agent) in &run.unclaimed {
            if releasing.contains(thread) || self.starting.contains_key(thread) {
                continue;
            }
            let Some(slots) = self.slots_for_profile(agent) else { continue };
            let is_full = usage.of_profile(agent) >= slots.limit || usage.total() >= self.workers;
            if is_full || snapshot.is_cooling_down(agent) {
                continue;
            }
            let words = self.wrapper_arguments(programs, store, *thread, &slots);
            let folder = session.store_folder().to_owned();
            let child = start_detached(&words, &folder, session.world().environment(), None);
            let child = child.map_err(|source| Error::File {
                doing: "start",
                path: programs.inbox.clone(),
                source,
            })?;
            let wrapper = StartingWrapper { since: Instant::now(), profile: agent.clone(), child };
            self.starting.insert(*thread, wrapper);
            usage.take_slot(agent.clone());
            started += 1;
        }
        Ok(started)
    }

    fn wrapper_arguments(
        &self,
        programs: &ProgramPaths,
        store: &str,
        thread: ThreadId,
        slots: &ProfileSlots,
    ) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            vec![programs.inbox.clone().into(), "run".into(), thread.to_string().into()];
        words.extend(["--store".into(), store.into()]);
        words.extend(["--as".into(), slots.profile.as_str().into()]);
        words.extend(["--profile".into(), slots.reference.clone().into()]);
        if let Some(limit) = self.attempt_limit {
            words.extend(["--limit".into(), format!("{}ms", limit.0).into()]);
        }
        if self.ends_silent {
            words.push("--end-silent".into());
        }
        words.push("--json".into());
        words
    }

    /// Returns the first open run if nothing is running and no worker exists for any ready task.
    pub(super) fn find_run_without_worker(&self, snapshot: &PassSnapshot) -> Option<Slug> {
        let open = || snapshot.runs.iter().filter(|run| run.run.state.status() == RunStatus::Open);
        let is_stuck = |run: &RunSnapshot| {
            let counts = &run.run.counts;
            let is_moving = counts.active() > 0 || counts.in_state(TaskState::Reported) > 0;
            let has_agent = |agent: &Option<Slug>| agent.is_some() || !self.seats.is_empty();
            !is_moving && counts.total() > 0 && !run.ready.iter().any(|task| has_agent(&task.agent))
        };
        if open().all(is_stuck) { open().next().map(|run| run.run.name.clone()) } else { None }
    }
}
