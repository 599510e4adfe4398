//! A clock that only moves when a test advances it; all clones show one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use orch_core::time::{Time, TimeSpan};
use orch_inbox::clock::Clock;

/// The start of every fake clock: 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;

/// A clock under a test's control.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicI64>);

impl Default for FakeClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(BEGIN)))
    }
}

impl FakeClock {
    /// Advances the clock, or sets it back if `span` is negative.
    pub fn advance(&self, span: TimeSpan) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Sets the clock.
    pub fn set(&self, time: Time) {
        self.0.store(time.0, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}
