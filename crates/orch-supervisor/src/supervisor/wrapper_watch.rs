//! Handles of wrapper processes, so that the exit of a killed wrapper is noticed at once.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use orch_process::process_exit_handle;

/// The watched wrappers, by the text form of their process identity.
#[derive(Debug, Default)]
pub(super) struct WrapperWatch(BTreeMap<String, Option<OwnedFd>>);

impl WrapperWatch {
    /// Watches these processes and no others. A process without a handle, or whose exit was seen, has to be polled.
    pub(super) fn watch_only(&mut self, processes: &[String]) {
        self.0.retain(|process, _| processes.contains(process));
        for handle in self.0.values_mut() {
            // A readable handle would keep the loop awake as long as its process is listed.
            handle.take_if(|handle| orch_inbox::wake::is_readable(handle.as_fd()));
        }
        for process in processes {
            if !self.0.contains_key(process) {
                let handle = process.parse().ok().and_then(process_exit_handle);
                self.0.insert(process.clone(), handle);
            }
        }
    }

    /// Returns the number of processes whose exit will be noticed.
    pub(super) fn watched_count(&self) -> usize {
        self.0.values().flatten().count()
    }

    /// Returns the handles that become readable when a process exits.
    pub(super) fn exit_handles(&self) -> Vec<BorrowedFd<'_>> {
        self.0.values().flatten().map(|handle| handle.as_fd()).collect()
    }
}
