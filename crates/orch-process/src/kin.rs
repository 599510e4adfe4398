//! The processes that descend from us, even when those between have ended: they become our children.

use std::collections::HashSet;

use rustix::process::{WaitId, WaitIdOptions, WaitOptions};

use super::handle;
use super::identity::ProcessIdentity;
use super::table::{self, Entry};

/// The children that we have got since a moment, whoever started them.
///
/// Where one worker is started, no other child may be started meanwhile: it would be taken for one of the worker's.
#[derive(Clone, Debug)]
pub(super) struct Kin {
    had_before: HashSet<ProcessIdentity>,
    /// The one that we started, and wait for ourselves; 0 where there is none yet.
    worker: u32,
}

impl Kin {
    /// All children from now on; those of our descendants that lose their parent come to us, for good.
    pub(super) fn from_now_on() -> Self {
        become_reaper();
        let had_before = table::entries().filter(is_our_child).map(ProcessIdentity::from_entry).collect();
        Self { had_before, worker: 0 }
    }

    /// The same, when we have started this one.
    pub(super) fn with_worker(self, worker: u32) -> Self {
        Self { worker, ..self }
    }

    /// Whether this is such a child.
    pub(super) fn counts(&self, entry: &Entry) -> bool {
        is_our_child(entry) && !self.had_before.contains(&ProcessIdentity::from_entry(*entry))
    }

    /// Takes note of one that is dead, but for the worker; says whether it was one.
    ///
    /// Nobody else does, and it would stay for ever.
    pub(super) fn reap(&self, entry: &Entry) -> bool {
        let concerns = !entry.runs && entry.pid != self.worker && self.counts(entry);
        concerns && rustix::process::waitpid(handle::pid(entry.pid), WaitOptions::NOHANG).is_ok()
    }

    /// Takes note of all that are dead.
    pub(super) fn reap_all(&self) {
        let dead = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // It is asked first whether there is any: to look at every process costs a thousand times as much.
        if matches!(rustix::process::waitid(WaitId::All, dead), Ok(Some(_))) {
            for entry in table::entries() {
                self.reap(&entry);
            }
        }
    }
}

fn is_our_child(entry: &Entry) -> bool {
    entry.parent == std::process::id()
}

/// A system that does not know of this leaves us without those whose parent has ended.
#[cfg(target_os = "linux")]
fn become_reaper() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn become_reaper() {}
