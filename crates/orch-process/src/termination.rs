//! Ends processes to the last one: asks them, waits, kills them, and looks again until nobody is found.
//!
//! They are known by a variable that they bear, by their descent from us, and by their group.
//! Each is held by a handle of its own, so that a signal reaches no other process that was given its number.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::descendants::DescendantTracker;
use super::group::ProcessGroup;
use super::identity::ProcessIdentity;
use super::pidfd;
use super::poll::{poll_files, poll_readable};
use super::proc_stat::{self, ProcessStat};
use super::tag::Tag;
use crate::limit::{HANDLES_MAX, KILL_LOOK, KILL_ROUND, KILL_WAIT};

/// What became of processes that were to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminationReport {
    /// How many there were, those included that are left.
    pub processes: usize,
    /// Those that did not go even when they were killed, or that we may not kill.
    pub survivors: Vec<ProcessIdentity>,
    /// Whether some to the last kept starting others and ending before they could be held, so that more may be left.
    pub restless: bool,
}

/// Ends every process that bears this variable, and all that descend from one; returns when none is left.
///
/// They are asked first, and killed when the grace is over. We are never among them, even if we bear it.
/// A chain of processes that each start the next and end at once may be missed, since nothing but the
/// variable tells of it; [`run_worker`](super::run_worker) does not miss one. Without `/proc` nobody is found.
#[must_use]
pub fn terminate_tagged(tag: Tag<'_>, grace: Duration) -> TerminationReport {
    let mut ending = ProcessTermination::begin(KillTarget { tag, kin: None, group: None }, grace);
    while !ending.is_over() {
        poll_files([], ending.handles(), Some(ending.due()));
        ending.escalate_if_due();
    }
    ending.into_report()
}

/// Whose end is wanted.
pub(super) struct KillTarget<'a> {
    pub(super) tag: Tag<'a>,
    /// Our children, but for those that we had before, and all their descendants.
    pub(super) kin: Option<DescendantTracker>,
    pub(super) group: Option<ProcessGroup>,
}

/// What a look brought.
struct ProcessScan {
    running: Vec<ProcessStat>,
    /// Whether one had died since the look before: it may have started another that was not seen.
    dead: bool,
}

impl KillTarget<'_> {
    fn scan_processes(&self) -> ProcessScan {
        let own = std::process::id();
        let (mut running, mut others, mut dead) = (Vec::new(), Vec::new(), false);
        for entry in proc_stat::list_processes() {
            if !entry.runs {
                dead |= self.kin.as_ref().is_some_and(|kin| kin.reap_process(&entry));
            } else if entry.pid == own || entry.pid == 1 {
                // We are no step of a descent: our other children are not concerned, even if we bear the tag.
            } else if self.is_direct_target(&entry) {
                running.push(entry);
            } else {
                others.push(entry);
            }
        }
        let mut reached = 0;
        while reached < running.len() {
            let parent = running[reached].pid;
            running.extend(others.extract_if(.., |entry| entry.parent == parent));
            reached += 1;
        }
        ProcessScan { running, dead }
    }

    /// Whether it is one of them, whatever it descends from.
    fn is_direct_target(&self, entry: &ProcessStat) -> bool {
        self.kin.as_ref().is_some_and(|kin| kin.is_descendant(entry))
            || self.group.is_some_and(|group| group.contains_process(entry))
            || self.tag.marks_process(entry.pid)
    }
}

/// How far an ending has come.
#[derive(Clone, Copy)]
enum EscalationStage {
    TermSent { kill_at: Instant },
    KillSent { give_up_at: Instant },
    Finished,
}

/// Processes that are being ended.
pub(super) struct ProcessTermination<'a> {
    quarry: KillTarget<'a>,
    held: Vec<TrackedProcess>,
    met: HashSet<ProcessIdentity>,
    /// Whether the last look told that there may be one more than it found.
    restless: bool,
    pressure: EscalationStage,
    /// When to look again, though nothing tells of anything.
    look_at: Option<Instant>,
}

impl<'a> ProcessTermination<'a> {
    /// Asks all of them to end.
    pub(super) fn begin(quarry: KillTarget<'a>, grace: Duration) -> Self {
        let pressure = EscalationStage::TermSent { kill_at: Instant::now() + grace };
        let (held, met) = (Vec::new(), HashSet::new());
        let mut ending = Self { quarry, held, met, restless: false, pressure, look_at: None };
        // They are held first, so that those who end at once are counted too.
        let sight = ending.quarry.scan_processes();
        let is_quiet = sight.running.is_empty() && !sight.dead;
        for entry in sight.running {
            ending.track_process(entry);
        }
        ending.send_term();
        if ending.held.is_empty() {
            ending.rescan_until_quiet(usize::from(is_quiet));
        } else {
            ending.look_at = ending.next_scan_at(KILL_LOOK);
        }
        ending
    }

    /// Becomes readable whenever one of them has ended.
    pub(super) fn handles(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.held.iter().filter_map(|held| held.handle.as_ref().map(OwnedFd::as_fd))
    }

    /// When to go on, even if no handle is readable.
    pub(super) fn due(&self) -> Instant {
        let due = match self.pressure {
            EscalationStage::TermSent { kill_at } => kill_at,
            EscalationStage::KillSent { give_up_at } => give_up_at,
            EscalationStage::Finished => Instant::now(),
        };
        self.look_at.map_or(due, |look_at| look_at.min(due))
    }

    /// Whether nobody is left, or those that are will not go.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.pressure, EscalationStage::Finished)
    }

    /// How many there were, and who is left.
    pub(super) fn into_report(mut self) -> TerminationReport {
        self.held.retain(|held| !held.has_exited());
        let survivors = self.held.iter().map(|held| held.identity).collect();
        TerminationReport { processes: self.met.len(), survivors, restless: self.restless }
    }

    /// Whether this process was among them.
    pub(super) fn has_seen(&self, identity: ProcessIdentity) -> bool {
        self.met.contains(&identity)
    }

    /// Looks who is gone, and goes on to the next means when the one before has had its time.
    ///
    /// To be called when a handle is readable or it is due.
    pub(super) fn escalate_if_due(&mut self) {
        self.held.retain(|held| !held.has_exited());
        let now = Instant::now();
        match self.pressure {
            EscalationStage::TermSent { kill_at } if now >= kill_at => {
                self.pressure = EscalationStage::KillSent { give_up_at: now + KILL_WAIT };
                self.kill_tracked();
            }
            EscalationStage::KillSent { give_up_at } if now >= give_up_at => {
                self.pressure = EscalationStage::Finished;
            }
            EscalationStage::KillSent { .. }
                if self.held.is_empty() || self.look_at.is_none_or(|at| now >= at) =>
            {
                self.kill_tracked();
            }
            // Whoever is new while others take their time may be what they need for that.
            EscalationStage::TermSent { .. } if self.held.is_empty() => self.rescan_until_quiet(0),
            EscalationStage::TermSent { .. } => self.look_at = self.next_scan_at(KILL_LOOK),
            EscalationStage::KillSent { .. } | EscalationStage::Finished => {}
        }
    }

    /// Asks those that are held, each once: the second time means haste to some.
    fn send_term(&self) {
        let group = self.quarry.group;
        if let Some(group) = group {
            group.request_termination();
        }
        for held in
            self.held.iter().filter(|held| group.is_none_or(|group| !group.contains_process(&held.entry)))
        {
            held.send_term();
        }
    }

    /// Kills those that are held, and those that have come since.
    fn kill_tracked(&mut self) {
        if let Some(group) = self.quarry.group {
            group.kill();
        }
        for held in &self.held {
            held.send_signal(Signal::KILL);
        }
        self.rescan_until_quiet(0);
    }

    /// Holds those that are new, and signals them.
    ///
    /// Nobody is left only when two looks in a row found nobody, and nobody who had just died:
    /// while we look, one may start another and end. So many were quiet already.
    fn rescan_until_quiet(&mut self, quiet: usize) {
        for _ in quiet..2 {
            let sight = self.quarry.scan_processes();
            self.restless = sight.dead;
            for entry in &sight.running {
                match (self.track_process(*entry), self.pressure) {
                    (TrackOutcome::New(index), EscalationStage::TermSent { .. }) => {
                        self.held[index].send_term();
                    }
                    (
                        TrackOutcome::New(index),
                        EscalationStage::KillSent { .. } | EscalationStage::Finished,
                    ) => {
                        self.held[index].send_signal(Signal::KILL);
                    }
                    (TrackOutcome::Known, _) => {}
                    (TrackOutcome::Gone, _) => self.restless = true,
                }
            }
            if self.restless || !self.held.is_empty() {
                self.look_at = self.next_scan_at(if self.restless { KILL_LOOK } else { KILL_ROUND });
                return;
            }
        }
        let group_is_left =
            !proc_stat::is_proc_available() && self.quarry.group.is_some_and(ProcessGroup::is_alive);
        if group_is_left {
            self.look_at = Some(Instant::now() + KILL_LOOK);
        } else {
            self.pressure = EscalationStage::Finished;
        }
    }

    fn track_process(&mut self, entry: ProcessStat) -> TrackOutcome {
        let identity = ProcessIdentity::from_stat(entry);
        if self.held.iter().any(|held| held.identity == identity) {
            return TrackOutcome::Known;
        }
        let Some(held) = TrackedProcess::open_tracked(entry, self.held.len() < HANDLES_MAX) else {
            return TrackOutcome::Gone;
        };
        self.met.insert(identity);
        self.held.push(held);
        TrackOutcome::New(self.held.len() - 1)
    }

    /// When nothing tells of what is awaited: newcomers, and the end of those that have no handle.
    fn next_scan_at(&self, soon: Duration) -> Option<Instant> {
        let all_tell = self.held.iter().all(|held| held.handle.is_some());
        let soon = match self.pressure {
            EscalationStage::TermSent { .. } if all_tell && !self.held.is_empty() => return None,
            EscalationStage::TermSent { .. } | EscalationStage::Finished => KILL_LOOK,
            EscalationStage::KillSent { .. } => soon,
        };
        Some(Instant::now() + soon)
    }
}

/// What came of taking hold of a process.
enum TrackOutcome {
    /// It is the one in this place.
    New(usize),
    Known,
    Gone,
}

/// A process that cannot be taken for another.
struct TrackedProcess {
    entry: ProcessStat,
    identity: ProcessIdentity,
    /// Where the system gives none, its identity is looked at before each signal.
    handle: Option<OwnedFd>,
}

impl TrackedProcess {
    /// Nothing if it is gone, even if another has its number now.
    fn open_tracked(entry: ProcessStat, with_handle: bool) -> Option<Self> {
        let handle = if with_handle { pidfd::open_pidfd(entry.pid) } else { None };
        let identity = ProcessIdentity::from_stat(entry);
        // The handle is of whoever had the number when it was opened; that it was this one is seen afterwards.
        identity.is_alive().then_some(Self { entry, identity, handle })
    }

    /// A stopped one is let go on, or it could not hear.
    fn send_term(&self) {
        self.send_signal(Signal::TERM);
        self.send_signal(Signal::CONT);
    }

    fn has_exited(&self) -> bool {
        let Some(handle) = &self.handle else { return !self.identity.is_alive() };
        let ([ended], _) =
            poll_files([poll_readable(handle.as_fd())], std::iter::empty(), Some(Instant::now()));
        ended
    }

    /// One that is gone has nothing to hear, and one that we may not signal is left in the end.
    fn send_signal(&self, signal: Signal) {
        if let Some(handle) = &self.handle {
            pidfd::signal_pidfd(handle, signal);
        } else if let Some(pid) = pidfd::to_pid(self.identity.pid()).filter(|_| self.identity.is_alive()) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_number_that_is_anothers_now_is_not_touched() {
        for with_handle in [true, false] {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let entry = proc_stat::find_process(child.id()).unwrap();
            let earlier = ProcessStat { started: entry.started - 1, ..entry };
            assert!(TrackedProcess::open_tracked(earlier, with_handle).is_none());

            let identity = ProcessIdentity::from_stat(earlier);
            let held = TrackedProcess { entry: earlier, identity, handle: None };
            assert!(held.has_exited());
            held.send_signal(Signal::KILL);

            let held = TrackedProcess::open_tracked(entry, with_handle).unwrap();
            assert_eq!(held.handle.is_some(), with_handle);
            assert!(!held.has_exited());
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success(), "the signal for another did not reach it");
            assert!(held.has_exited());
            held.send_signal(Signal::KILL);
        }
    }

    #[test]
    fn nobody_is_ended_at_once() {
        let tag = Tag { name: "ORCH_TEST_TAG", value: "nobody" };
        assert_eq!(terminate_tagged(tag, Duration::from_secs(60)), TerminationReport::default());
    }
}
