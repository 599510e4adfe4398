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
}

impl Kin {
    /// All children from now on; those of our descendants that lose their parent come to us, for good.
    pub(super) fn from_now_on() -> Self {
        become_reaper();
        let had_before =
            table::entries().into_iter().filter(is_our_child).map(ProcessIdentity::from_entry).collect();
        Self { had_before }
    }

    /// Whether this is such a child.
    pub(super) fn counts(&self, entry: &Entry) -> bool {
        is_our_child(entry) && !self.had_before.contains(&ProcessIdentity::from_entry(*entry))
    }

    /// Takes note of those that are dead, but for this one: nobody else does, and they would stay for ever.
    pub(super) fn reap(&self, but: u32) {
        let dead = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // It is asked first whether there is any: to look at every process costs a thousand times as much.
        if !matches!(rustix::process::waitid(WaitId::All, dead), Ok(Some(_))) {
            return;
        }
        for entry in table::entries() {
            if !entry.runs && entry.pid != but && self.counts(&entry) {
                let _ = rustix::process::waitpid(handle::pid(entry.pid), WaitOptions::NOHANG);
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
