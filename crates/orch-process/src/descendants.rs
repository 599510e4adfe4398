//! The processes that descend from us, even when those between have ended: they become our children.

use std::collections::HashSet;

use rustix::process::{WaitId, WaitIdOptions, WaitOptions};

use super::identity::ProcessIdentity;
use super::pidfd;
use super::proc_stat::{self, ProcessStat};

/// The children that we have got since a moment, whoever started them.
///
/// Where one worker is started, no other child may be started meanwhile: it would be taken for one of the worker's.
#[derive(Clone, Debug)]
pub(super) struct DescendantTracker {
    had_before: HashSet<ProcessIdentity>,
    /// The one that we started, and wait for ourselves; 0 where there is none yet.
    worker: u32,
}

impl DescendantTracker {
    /// All children from now on; those of our descendants that lose their parent come to us, for good.
    pub(super) fn start_tracking() -> Self {
        become_subreaper();
        let had_before =
            proc_stat::list_processes().filter(is_our_child).map(ProcessIdentity::from_stat).collect();
        Self { had_before, worker: 0 }
    }

    /// The same, when we have started this one.
    pub(super) fn with_worker(self, worker: u32) -> Self {
        Self { worker, ..self }
    }

    /// Whether this is such a child.
    pub(super) fn is_descendant(&self, entry: &ProcessStat) -> bool {
        is_our_child(entry) && !self.had_before.contains(&ProcessIdentity::from_stat(*entry))
    }

    /// Takes note of one that is dead, but for the worker; says whether it was one.
    ///
    /// Nobody else does, and it would stay for ever.
    pub(super) fn reap_process(&self, entry: &ProcessStat) -> bool {
        let concerns = !entry.runs && entry.pid != self.worker && self.is_descendant(entry);
        concerns && rustix::process::waitpid(pidfd::to_pid(entry.pid), WaitOptions::NOHANG).is_ok()
    }

    /// Takes note of all that are dead.
    pub(super) fn reap_all(&self) {
        let dead = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // It is asked first whether there is any: to look at every process costs a thousand times as much.
        if matches!(rustix::process::waitid(WaitId::All, dead), Ok(Some(_))) {
            for entry in proc_stat::list_processes() {
                self.reap_process(&entry);
            }
        }
    }
}

fn is_our_child(entry: &ProcessStat) -> bool {
    entry.parent == std::process::id()
}

/// A system that does not know of this leaves us without those whose parent has ended.
#[cfg(target_os = "linux")]
fn become_subreaper() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn become_subreaper() {}
