//! Ends processes to the last one: asks them, waits, kills them, and looks again until nobody is found.
//!
//! They are known by a variable that they bear, by their descent from us, and by their group.
//! Each is held by a handle of its own, so that a signal reaches no other process that was given its number.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::group::Group;
use super::handle;
use super::identity::ProcessIdentity;
use super::kin::Kin;
use super::poll::{poll, readable};
use super::table::{self, Entry};
use super::tag::Tag;
use crate::limit::{HANDLES_MAX, KILL_LOOK, KILL_ROUND, KILL_WAIT};

/// What became of processes that were to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
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
pub fn end_tagged(tag: Tag<'_>, grace: Duration) -> Swept {
    let mut ending = Ending::begin(Quarry { tag, kin: None, group: None }, grace);
    while !ending.is_over() {
        poll([], ending.handles(), Some(ending.due()));
        ending.go_on();
    }
    ending.swept()
}

/// Whose end is wanted.
pub(super) struct Quarry<'a> {
    pub(super) tag: Tag<'a>,
    /// Our children, but for those that we had before, and all their descendants.
    pub(super) kin: Option<Kin>,
    pub(super) group: Option<Group>,
}

/// What a look brought.
struct Sight {
    running: Vec<Entry>,
    /// Whether one had died since the look before: it may have started another that was not seen.
    dead: bool,
}

impl Quarry<'_> {
    fn look(&self) -> Sight {
        let own = std::process::id();
        let (mut running, mut others, mut dead) = (Vec::new(), Vec::new(), false);
        for entry in table::entries() {
            if !entry.runs {
                dead |= self.kin.as_ref().is_some_and(|kin| kin.reap(&entry));
            } else if entry.pid == own || entry.pid == 1 {
                // We are no step of a descent: our other children are not concerned, even if we bear the tag.
            } else if self.wants(&entry) {
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
        Sight { running, dead }
    }

    /// Whether it is one of them, whatever it descends from.
    fn wants(&self, entry: &Entry) -> bool {
        self.kin.as_ref().is_some_and(|kin| kin.counts(entry))
            || self.group.is_some_and(|group| group.holds(entry))
            || self.tag.is_borne_by(entry.pid)
    }
}

/// How far an ending has come.
#[derive(Clone, Copy)]
enum Pressure {
    Asked { kill_at: Instant },
    Killed { give_up_at: Instant },
    Over,
}

/// Processes that are being ended.
pub(super) struct Ending<'a> {
    quarry: Quarry<'a>,
    held: Vec<Held>,
    met: HashSet<ProcessIdentity>,
    /// Whether the last look told that there may be one more than it found.
    restless: bool,
    pressure: Pressure,
    /// When to look again, though nothing tells of anything.
    look_at: Option<Instant>,
}

impl<'a> Ending<'a> {
    /// Asks all of them to end.
    pub(super) fn begin(quarry: Quarry<'a>, grace: Duration) -> Self {
        let pressure = Pressure::Asked { kill_at: Instant::now() + grace };
        let (held, met) = (Vec::new(), HashSet::new());
        let mut ending = Self { quarry, held, met, restless: false, pressure, look_at: None };
        // They are held first, so that those who end at once are counted too.
        let sight = ending.quarry.look();
        let is_quiet = sight.running.is_empty() && !sight.dead;
        for entry in sight.running {
            ending.hold(entry);
        }
        ending.ask();
        if ending.held.is_empty() {
            ending.look(usize::from(is_quiet));
        } else {
            ending.look_at = ending.next_look(KILL_LOOK);
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
            Pressure::Asked { kill_at } => kill_at,
            Pressure::Killed { give_up_at } => give_up_at,
            Pressure::Over => Instant::now(),
        };
        self.look_at.map_or(due, |look_at| look_at.min(due))
    }

    /// Whether nobody is left, or those that are will not go.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.pressure, Pressure::Over)
    }

    /// How many there were, and who is left.
    pub(super) fn swept(mut self) -> Swept {
        self.held.retain(|held| !held.is_gone());
        let survivors = self.held.iter().map(|held| held.identity).collect();
        Swept { processes: self.met.len(), survivors, restless: self.restless }
    }

    /// Whether this process was among them.
    pub(super) fn has_met(&self, identity: ProcessIdentity) -> bool {
        self.met.contains(&identity)
    }

    /// Looks who is gone, and goes on to the next means when the one before has had its time.
    ///
    /// To be called when a handle is readable or it is due.
    pub(super) fn go_on(&mut self) {
        self.held.retain(|held| !held.is_gone());
        let now = Instant::now();
        match self.pressure {
            Pressure::Asked { kill_at } if now >= kill_at => {
                self.pressure = Pressure::Killed { give_up_at: now + KILL_WAIT };
                self.kill();
            }
            Pressure::Killed { give_up_at } if now >= give_up_at => {
                self.pressure = Pressure::Over;
            }
            Pressure::Killed { .. } if self.held.is_empty() || self.look_at.is_none_or(|at| now >= at) => {
                self.kill();
            }
            // Whoever is new while others take their time may be what they need for that.
            Pressure::Asked { .. } if self.held.is_empty() => self.look(0),
            Pressure::Asked { .. } => self.look_at = self.next_look(KILL_LOOK),
            Pressure::Killed { .. } | Pressure::Over => {}
        }
    }

    /// Asks those that are held, each once: the second time means haste to some.
    fn ask(&self) {
        let group = self.quarry.group;
        if let Some(group) = group {
            group.ask_to_end();
        }
        for held in self.held.iter().filter(|held| group.is_none_or(|group| !group.holds(&held.entry))) {
            held.ask();
        }
    }

    /// Kills those that are held, and those that have come since.
    fn kill(&mut self) {
        if let Some(group) = self.quarry.group {
            group.kill();
        }
        for held in &self.held {
            held.signal(Signal::KILL);
        }
        self.look(0);
    }

    /// Holds those that are new, and signals them.
    ///
    /// Nobody is left only when two looks in a row found nobody, and nobody who had just died:
    /// while we look, one may start another and end. So many were quiet already.
    fn look(&mut self, quiet: usize) {
        for _ in quiet..2 {
            let sight = self.quarry.look();
            self.restless = sight.dead;
            for entry in &sight.running {
                match (self.hold(*entry), self.pressure) {
                    (Hold::New(index), Pressure::Asked { .. }) => self.held[index].ask(),
                    (Hold::New(index), Pressure::Killed { .. } | Pressure::Over) => {
                        self.held[index].signal(Signal::KILL);
                    }
                    (Hold::Known, _) => {}
                    (Hold::Gone, _) => self.restless = true,
                }
            }
            if self.restless || !self.held.is_empty() {
                self.look_at = self.next_look(if self.restless { KILL_LOOK } else { KILL_ROUND });
                return;
            }
        }
        let group_is_left = !table::is_there() && self.quarry.group.is_some_and(Group::is_alive);
        if group_is_left {
            self.look_at = Some(Instant::now() + KILL_LOOK);
        } else {
            self.pressure = Pressure::Over;
        }
    }

    fn hold(&mut self, entry: Entry) -> Hold {
        let identity = ProcessIdentity::from_entry(entry);
        if self.held.iter().any(|held| held.identity == identity) {
            return Hold::Known;
        }
        let Some(held) = Held::take(entry, self.held.len() < HANDLES_MAX) else { return Hold::Gone };
        self.met.insert(identity);
        self.held.push(held);
        Hold::New(self.held.len() - 1)
    }

    /// When nothing tells of what is awaited: newcomers, and the end of those that have no handle.
    fn next_look(&self, soon: Duration) -> Option<Instant> {
        let all_tell = self.held.iter().all(|held| held.handle.is_some());
        let soon = match self.pressure {
            Pressure::Asked { .. } if all_tell && !self.held.is_empty() => return None,
            Pressure::Asked { .. } | Pressure::Over => KILL_LOOK,
            Pressure::Killed { .. } => soon,
        };
        Some(Instant::now() + soon)
    }
}

/// What came of taking hold of a process.
enum Hold {
    /// It is the one in this place.
    New(usize),
    Known,
    Gone,
}

/// A process that cannot be taken for another.
struct Held {
    entry: Entry,
    identity: ProcessIdentity,
    /// Where the system gives none, its identity is looked at before each signal.
    handle: Option<OwnedFd>,
}

impl Held {
    /// Nothing if it is gone, even if another has its number now.
    fn take(entry: Entry, with_handle: bool) -> Option<Self> {
        let handle = if with_handle { handle::open(entry.pid) } else { None };
        let identity = ProcessIdentity::from_entry(entry);
        // The handle is of whoever had the number when it was opened; that it was this one is seen afterwards.
        identity.is_alive().then_some(Self { entry, identity, handle })
    }

    /// A stopped one is let go on, or it could not hear.
    fn ask(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    fn is_gone(&self) -> bool {
        let Some(handle) = &self.handle else { return !self.identity.is_alive() };
        let ([ended], _) = poll([readable(handle.as_fd())], std::iter::empty(), Some(Instant::now()));
        ended
    }

    /// One that is gone has nothing to hear, and one that we may not signal is left in the end.
    fn signal(&self, signal: Signal) {
        if let Some(handle) = &self.handle {
            handle::signal(handle, signal);
        } else if let Some(pid) = handle::pid(self.identity.pid()).filter(|_| self.identity.is_alive()) {
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
            let entry = table::entry(child.id()).unwrap();
            let earlier = Entry { started: entry.started - 1, ..entry };
            assert!(Held::take(earlier, with_handle).is_none());

            let identity = ProcessIdentity::from_entry(earlier);
            let held = Held { entry: earlier, identity, handle: None };
            assert!(held.is_gone());
            held.signal(Signal::KILL);

            let held = Held::take(entry, with_handle).unwrap();
            assert_eq!(held.handle.is_some(), with_handle);
            assert!(!held.is_gone());
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success(), "the signal for another did not reach it");
            assert!(held.is_gone());
            held.signal(Signal::KILL);
        }
    }

    #[test]
    fn nobody_is_ended_at_once() {
        let tag = Tag { name: "ORCH_TEST_TAG", value: "nobody" };
        assert_eq!(end_tagged(tag, Duration::from_secs(60)), Swept::default());
    }
}
