//! Our descendants, including those whose parent has exited: they are reparented to us.

use std::collections::HashSet;

use rustix::process::{WaitId, WaitIdOptions, WaitOptions};

use super::identity::ProcessIdentity;
use super::pidfd;
use super::proc_stat::{self, ProcessStat};

/// Tells the children that appeared since tracking started from those that existed before.
///
/// While a worker runs, no other child may be started: it would count as one of the worker's processes.
#[derive(Clone, Debug)]
pub(crate) struct DescendantTracker {
    preexisting: HashSet<ProcessIdentity>,
    /// The pid of the worker, which is reaped elsewhere; 0 before it was started.
    worker: u32,
}

impl DescendantTracker {
    /// Becomes a child subreaper for good and starts to track new children.
    pub(crate) fn start_tracking() -> Self {
        become_subreaper();
        let preexisting =
            proc_stat::list_processes().filter(is_our_child).map(ProcessIdentity::from_stat).collect();
        Self { preexisting, worker: 0 }
    }

    /// Sets the worker, once it was started.
    pub(crate) fn with_worker(self, worker: u32) -> Self {
        Self { worker, ..self }
    }

    /// Returns whether a process is our child and appeared since tracking started.
    pub(crate) fn is_descendant(&self, process: &ProcessStat) -> bool {
        is_our_child(process) && !self.preexisting.contains(&ProcessIdentity::from_stat(*process))
    }

    /// Reaps a tracked child that has exited, except the worker; returns whether it was one.
    pub(crate) fn reap_process(&self, process: &ProcessStat) -> bool {
        let is_orphan = !process.runs && process.pid != self.worker && self.is_descendant(process);
        is_orphan && rustix::process::waitpid(pidfd::to_pid(process.pid), WaitOptions::NOHANG).is_ok()
    }

    /// Reaps all tracked children that have exited, except the worker.
    pub(crate) fn reap_all(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // Asking for any zombie first costs a thousandth of a scan of all processes.
        if matches!(rustix::process::waitid(WaitId::All, options), Ok(Some(_))) {
            for process in proc_stat::list_processes() {
                self.reap_process(&process);
            }
        }
    }
}

fn is_our_child(process: &ProcessStat) -> bool {
    process.parent == std::process::id()
}

/// Makes orphaned descendants our children, where the system supports it.
#[cfg(target_os = "linux")]
fn become_subreaper() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn become_subreaper() {}
