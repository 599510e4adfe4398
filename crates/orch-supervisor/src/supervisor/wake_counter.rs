//! The counters that tell a sleeping supervisor whether something has happened since its pass began.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orch_core::time::Time;
use orch_inbox::{Error, Session, wake};

/// Counts what happens in this process without a change of the store: finished operations and interrupts.
#[derive(Clone, Debug, Default)]
pub(super) struct WakeCounter(Arc<AtomicUsize>);

/// The counters at the beginning of a pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct WakeSnapshot {
    pub committed: i64,
    pub happened: usize,
    pub at: Time,
}

impl WakeCounter {
    /// Wakes the loop. Callers first make visible what the loop should find.
    pub(super) fn wake_loop(&self, folder: &Path) {
        self.0.fetch_add(1, Ordering::SeqCst);
        wake::signal_waiters(folder);
    }

    pub(super) fn take_snapshot(&self, session: &mut Session) -> Result<WakeSnapshot, Error> {
        let committed = session.change_counter()?;
        Ok(WakeSnapshot { committed, happened: self.0.load(Ordering::SeqCst), at: session.clock_now() })
    }
}
