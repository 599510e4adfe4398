//! Terminates processes down to the last one: SIGTERM, a grace period, SIGKILL, and rescans until none is found.
//!
//! The processes are found by their tag, by their descent from us, and by their process group.
//! Each is tracked by a pidfd, so that no signal reaches another process with a reused pid.

use std::collections::HashSet;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::descendants::DescendantTracker;
use super::group::ProcessGroup;
use super::identity::ProcessIdentity;
use super::pidfd;
use super::poll::{poll_files, poll_readable};
use super::proc_stat::{self, ProcessStat};
use super::tag::Tag;
use crate::limit::{EXIT_POLL_INTERVAL, GUARD_WAIT, KILL_WAIT, PIDFDS_MAX, RESCAN_INTERVAL};

/// The result of a termination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminationReport {
    /// How many processes were found, survivors included.
    pub processes: usize,
    /// The processes that did not exit after SIGKILL, or that we may not signal.
    pub survivors: Vec<ProcessIdentity>,
    /// Whether processes kept starting others and exiting before they could be tracked, so that some may survive.
    pub restless: bool,
}

/// Terminates every process with this tag and all their descendants; returns when none is left.
///
/// SIGKILL follows SIGTERM after the grace period.
/// We are never among them, even if we have the tag ourselves.
/// A chain of processes that each start the next and exit at once may be missed, because only the tag leads to it;
/// [`run_worker`](super::run_worker) does not miss one.
/// Without `/proc` no process is found.
#[must_use]
pub fn terminate_tagged(tag: Tag<'_>, grace: Duration) -> TerminationReport {
    let target = KillTarget { tag: Some(tag), descendants: None, group: None, guard: None };
    let mut termination = ProcessTermination::begin(target, grace);
    while !termination.is_over() {
        poll_files([], termination.handles(), Some(termination.due()));
        termination.escalate_if_due();
    }
    termination.into_report()
}

/// Which processes to terminate: those that match any of the criteria.
pub(crate) struct KillTarget<'a> {
    /// Processes with this tag, and their descendants.
    pub(crate) tag: Option<Tag<'a>>,
    /// Our new children, and their descendants.
    pub(crate) descendants: Option<DescendantTracker>,
    /// The processes of this group.
    pub(crate) group: Option<ProcessGroup>,
    /// The stream to a guard that leads the group; a guard that runs terminates the others itself.
    pub(crate) guard: Option<UnixStream>,
}

/// The result of one scan of all processes.
struct ProcessScan {
    running: Vec<ProcessStat>,
    /// Whether a zombie was found: that process may have started another one that the scan missed.
    found_zombie: bool,
}

impl KillTarget<'_> {
    fn scan_processes(&self) -> ProcessScan {
        let own = std::process::id();
        let (mut running, mut others, mut found_zombie) = (Vec::new(), Vec::new(), false);
        for process in proc_stat::list_processes() {
            if !process.runs {
                let tracker = self.descendants.as_ref();
                found_zombie |= tracker.is_some_and(|tracker| tracker.reap_process(&process));
            } else if process.pid == own || process.pid == 1 {
                // Our other children are no target, even if we have the tag ourselves.
            } else if self.matches_directly(&process) {
                running.push(process);
            } else {
                others.push(process);
            }
        }
        // A process that left the group is no target of a group alone.
        let mut visited = if self.tag.is_none() && self.descendants.is_none() { running.len() } else { 0 };
        while visited < running.len() {
            let parent = running[visited].pid;
            running.extend(others.extract_if(.., |process| process.parent == parent));
            visited += 1;
        }
        ProcessScan { running, found_zombie }
    }

    /// Asks the guard to terminate the others; returns whether there is a guard that can.
    fn ask_guard(&self, scan: &ProcessScan) -> bool {
        let (Some(stream), Some(group)) = (&self.guard, self.group) else { return false };
        let is_running = scan.running.iter().any(|process| group.contains_process(process));
        is_running && stream.shutdown(Shutdown::Write).is_ok()
    }

    /// Returns whether a process matches by itself, and not only through its ancestors.
    fn matches_directly(&self, process: &ProcessStat) -> bool {
        self.descendants.as_ref().is_some_and(|tracker| tracker.is_descendant(process))
            || self.group.is_some_and(|group| group.contains_process(process))
            || self.tag.is_some_and(|tag| tag.marks_process(process.pid))
    }
}

/// The stage of a termination.
#[derive(Clone, Copy)]
enum EscalationStage {
    TermSent { kill_at: Instant },
    KillSent { give_up_at: Instant },
    Finished,
}

/// A termination in progress.
pub(crate) struct ProcessTermination<'a> {
    target: KillTarget<'a>,
    tracked: Vec<TrackedProcess>,
    /// All processes that were ever tracked.
    seen: HashSet<ProcessIdentity>,
    /// Whether the last scan may have missed a process.
    restless: bool,
    stage: EscalationStage,
    /// When to scan again even if no pidfd is readable.
    rescan_at: Option<Instant>,
}

impl<'a> ProcessTermination<'a> {
    /// Sends SIGTERM to all processes of the target, or asks their guard to do it.
    pub(crate) fn begin(target: KillTarget<'a>, grace: Duration) -> Self {
        let scan = target.scan_processes();
        let has_guard = target.ask_guard(&scan);
        let patience = if has_guard { grace + GUARD_WAIT } else { grace };
        let stage = EscalationStage::TermSent { kill_at: Instant::now() + patience };
        let (tracked, seen) = (Vec::new(), HashSet::new());
        let mut termination = Self { target, tracked, seen, restless: false, stage, rescan_at: None };
        // Tracked before they are signalled, so that processes that exit at once are counted too.
        let is_quiet = scan.running.is_empty() && !scan.found_zombie;
        for process in scan.running {
            termination.track_process(process);
        }
        if !has_guard {
            termination.send_term();
        }
        if termination.tracked.is_empty() {
            termination.rescan_until_quiet(usize::from(is_quiet));
        } else {
            termination.rescan_at = termination.next_scan_at(EXIT_POLL_INTERVAL);
        }
        termination
    }

    /// Returns files that become readable when a process exits.
    pub(crate) fn handles(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.tracked.iter().filter_map(|tracked| tracked.pidfd.as_ref().map(OwnedFd::as_fd))
    }

    /// Returns when to call [`escalate_if_due`](Self::escalate_if_due) even if no handle is readable.
    pub(crate) fn due(&self) -> Instant {
        let due = match self.stage {
            EscalationStage::TermSent { kill_at } => kill_at,
            EscalationStage::KillSent { give_up_at } => give_up_at,
            EscalationStage::Finished => Instant::now(),
        };
        self.rescan_at.map_or(due, |rescan_at| rescan_at.min(due))
    }

    /// Returns whether no process is left, or the termination gave up on the rest.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, EscalationStage::Finished)
    }

    pub(crate) fn into_report(mut self) -> TerminationReport {
        self.tracked.retain(|tracked| !tracked.has_exited());
        let survivors = self.tracked.iter().map(|tracked| tracked.identity).collect();
        TerminationReport { processes: self.seen.len(), survivors, restless: self.restless }
    }

    /// Returns whether a process was among those that were tracked.
    pub(crate) fn has_seen(&self, identity: ProcessIdentity) -> bool {
        self.seen.contains(&identity)
    }

    /// Drops the processes that have exited, and escalates when a stage's time is over.
    pub(crate) fn escalate_if_due(&mut self) {
        self.tracked.retain(|tracked| !tracked.has_exited());
        let now = Instant::now();
        match self.stage {
            EscalationStage::TermSent { kill_at } if now >= kill_at => {
                self.stage = EscalationStage::KillSent { give_up_at: now + KILL_WAIT };
                self.kill_tracked();
            }
            EscalationStage::KillSent { give_up_at } if now >= give_up_at => {
                self.stage = EscalationStage::Finished;
            }
            EscalationStage::KillSent { .. }
                if self.tracked.is_empty() || self.rescan_at.is_none_or(|at| now >= at) =>
            {
                self.kill_tracked();
            }
            // While some still shut down, new processes may be part of that.
            EscalationStage::TermSent { .. } if self.tracked.is_empty() => self.rescan_until_quiet(0),
            EscalationStage::TermSent { .. } => self.rescan_at = self.next_scan_at(EXIT_POLL_INTERVAL),
            EscalationStage::KillSent { .. } | EscalationStage::Finished => {}
        }
    }

    /// Sends SIGTERM to each tracked process once: some programs skip their cleanup after a second one.
    fn send_term(&self) {
        let group = self.target.group;
        if let Some(group) = group {
            group.request_termination();
        }
        let is_outside =
            |tracked: &&TrackedProcess| group.is_none_or(|group| !group.contains_process(&tracked.stat));
        self.tracked.iter().filter(is_outside).for_each(TrackedProcess::send_term);
    }

    /// Sends SIGKILL to the tracked processes and to new ones.
    fn kill_tracked(&mut self) {
        if let Some(group) = self.target.group {
            group.kill();
        }
        for tracked in &self.tracked {
            tracked.send_signal(Signal::KILL);
        }
        self.rescan_until_quiet(0);
    }

    /// Tracks and signals new processes; finishes after two quiet scans in a row.
    ///
    /// A quiet scan finds neither a process nor a fresh zombie.
    /// One is not enough: during a scan, a process may start another one and exit.
    fn rescan_until_quiet(&mut self, quiet_scans: usize) {
        for _ in quiet_scans..2 {
            let scan = self.target.scan_processes();
            self.restless = scan.found_zombie;
            for process in scan.running {
                match (self.track_process(process), self.stage) {
                    (TrackOutcome::New(index), EscalationStage::TermSent { .. }) => {
                        self.tracked[index].send_term();
                    }
                    (
                        TrackOutcome::New(index),
                        EscalationStage::KillSent { .. } | EscalationStage::Finished,
                    ) => {
                        self.tracked[index].send_signal(Signal::KILL);
                    }
                    (TrackOutcome::Known, _) => {}
                    (TrackOutcome::Exited, _) => self.restless = true,
                }
            }
            if self.restless || !self.tracked.is_empty() {
                let interval = if self.restless { EXIT_POLL_INTERVAL } else { RESCAN_INTERVAL };
                self.rescan_at = self.next_scan_at(interval);
                return;
            }
        }
        let group_survives =
            !proc_stat::is_proc_available() && self.target.group.is_some_and(ProcessGroup::has_processes);
        if group_survives {
            self.rescan_at = Some(Instant::now() + EXIT_POLL_INTERVAL);
        } else {
            self.stage = EscalationStage::Finished;
        }
    }

    fn track_process(&mut self, process: ProcessStat) -> TrackOutcome {
        let identity = ProcessIdentity::from_stat(process);
        if self.tracked.iter().any(|tracked| tracked.identity == identity) {
            return TrackOutcome::Known;
        }
        let Some(tracked) = TrackedProcess::open(process, self.tracked.len() < PIDFDS_MAX) else {
            return TrackOutcome::Exited;
        };
        self.seen.insert(identity);
        self.tracked.push(tracked);
        TrackOutcome::New(self.tracked.len() - 1)
    }

    /// Returns when to scan for what no pidfd reports: new processes, and the exit of those without a pidfd.
    fn next_scan_at(&self, interval: Duration) -> Option<Instant> {
        let all_have_pidfd = self.tracked.iter().all(|tracked| tracked.pidfd.is_some());
        let interval = match self.stage {
            EscalationStage::TermSent { .. } if all_have_pidfd && !self.tracked.is_empty() => return None,
            EscalationStage::TermSent { .. } | EscalationStage::Finished => EXIT_POLL_INTERVAL,
            EscalationStage::KillSent { .. } => interval,
        };
        Some(Instant::now() + interval)
    }
}

/// The result of tracking a process.
enum TrackOutcome {
    /// It is now tracked, at this index.
    New(usize),
    Known,
    Exited,
}

/// A process that cannot be confused with another one that reuses its pid.
struct TrackedProcess {
    stat: ProcessStat,
    identity: ProcessIdentity,
    /// Without a pidfd, the identity is verified before each signal.
    pidfd: Option<OwnedFd>,
}

impl TrackedProcess {
    /// Returns `None` if the process has exited, even if another one has its pid now.
    fn open(stat: ProcessStat, with_pidfd: bool) -> Option<Self> {
        let pidfd = if with_pidfd { pidfd::open_pidfd(stat.pid) } else { None };
        let identity = ProcessIdentity::from_stat(stat);
        // Verified after opening: if the process is alive now, the pidfd refers to it.
        identity.is_alive().then_some(Self { stat, identity, pidfd })
    }

    /// Sends SIGTERM, and SIGCONT so that a stopped process receives it.
    fn send_term(&self) {
        self.send_signal(Signal::TERM);
        self.send_signal(Signal::CONT);
    }

    fn has_exited(&self) -> bool {
        let Some(pidfd) = &self.pidfd else { return !self.identity.is_alive() };
        let ([exited], _) =
            poll_files([poll_readable(pidfd.as_fd())], std::iter::empty(), Some(Instant::now()));
        exited
    }

    /// Sends a signal; processes that have exited or that we may not signal are skipped.
    fn send_signal(&self, signal: Signal) {
        if let Some(pidfd) = &self.pidfd {
            pidfd::signal_pidfd(pidfd, signal);
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
    fn a_process_with_a_reused_pid_is_not_signalled() {
        for with_pidfd in [true, false] {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let stat = proc_stat::find_process(child.id()).unwrap();
            let earlier = ProcessStat { started: stat.started - 1, ..stat };
            assert!(TrackedProcess::open(earlier, with_pidfd).is_none());

            let identity = ProcessIdentity::from_stat(earlier);
            let tracked = TrackedProcess { stat: earlier, identity, pidfd: None };
            assert!(tracked.has_exited());
            tracked.send_signal(Signal::KILL);

            let tracked = TrackedProcess::open(stat, with_pidfd).unwrap();
            assert_eq!(tracked.pidfd.is_some(), with_pidfd);
            assert!(!tracked.has_exited());
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success(), "the signal for the earlier process did not reach it");
            assert!(tracked.has_exited());
            tracked.send_signal(Signal::KILL);
        }
    }

    #[test]
    fn termination_without_processes_returns_at_once() {
        let tag = Tag { name: "ORCH_TEST_TAG", value: "unused" };
        assert_eq!(terminate_tagged(tag, Duration::from_secs(60)), TerminationReport::default());
    }
}
