//! Handles of wrappers: one that is killed tells nobody, and its end is noticed at once all the same.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use orch_process::process_exit_handle;

/// The wrappers that are watched, by the text of their process.
#[derive(Debug, Default)]
pub(super) struct WrapperWatch(BTreeMap<String, Option<OwnedFd>>);

impl WrapperWatch {
    /// Watches these and no others. One whose end was seen, or of which there is no handle, has to be looked for.
    pub(super) fn watch_only(&mut self, processes: &[String]) {
        self.0.retain(|process, _| processes.contains(process));
        for handle in self.0.values_mut() {
            // Seen once is enough: whoever stays on the list after its end must keep nobody awake.
            handle.take_if(|handle| orch_inbox::wake::is_readable(handle.as_fd()));
        }
        for process in processes {
            if !self.0.contains_key(process) {
                let handle = process.parse().ok().and_then(process_exit_handle);
                self.0.insert(process.clone(), handle);
            }
        }
    }

    /// How many of them tell of their end.
    pub(super) fn watched_count(&self) -> usize {
        self.0.values().flatten().count()
    }

    /// What becomes readable when one of them ends.
    pub(super) fn handles(&self) -> Vec<BorrowedFd<'_>> {
        self.0.values().flatten().map(|handle| handle.as_fd()).collect()
    }
}
