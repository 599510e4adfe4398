//! Clocks that only move when a test advances them; all clones show one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use orch_core::store_clock::{BootId, BootTime};
use orch_core::time::{Time, TimeSpan};
use orch_inbox::clock::Clock;

/// The start of every fake clock: 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;

/// A wall clock and a boot clock under a test's control.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<FakeHands>);

/// The state of both clocks, in milliseconds.
#[derive(Debug)]
struct FakeHands {
    wall: AtomicI64,
    elapsed: AtomicI64,
    boot: AtomicI64,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self(Arc::new(FakeHands {
            wall: AtomicI64::new(BEGIN),
            elapsed: AtomicI64::new(1_000_000),
            boot: AtomicI64::new(1),
        }))
    }
}

impl FakeClock {
    /// Lets time pass on both clocks.
    pub fn advance(&self, span: TimeSpan) {
        self.0.wall.fetch_add(span.0, Ordering::SeqCst);
        self.0.elapsed.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Sets the wall clock ahead, or back if `span` is negative, while no time passes.
    pub fn set_ahead(&self, span: TimeSpan) {
        self.0.wall.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Restarts the host: the boot clock begins again.
    pub fn reboot(&self) {
        self.0.boot.fetch_add(1, Ordering::SeqCst);
        self.0.elapsed.store(0, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Time {
        Time(self.0.wall.load(Ordering::SeqCst))
    }

    fn boot_time(&self) -> Option<BootTime> {
        let boot = u128::try_from(self.0.boot.load(Ordering::SeqCst)).ok()?;
        Some(BootTime { boot: BootId(boot), elapsed: TimeSpan(self.0.elapsed.load(Ordering::SeqCst)) })
    }
}
