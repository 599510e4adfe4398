//! The source of the current time.

use orch_core::store_clock::{BootId, BootTime, ClockReading};
use orch_core::time::{Time, TimeSpan};
use orch_process::read_boot_clock;

/// A clock, passed in so that tests can control it.
pub trait Clock: Send + Sync {
    /// Returns what the wall clock shows.
    fn now(&self) -> Time;

    /// Returns what the boot clock shows; `None` on a system without one.
    fn boot_time(&self) -> Option<BootTime>;

    /// Reads both clocks.
    fn read(&self) -> ClockReading {
        ClockReading { wall: self.now(), boot: self.boot_time() }
    }
}

/// The clocks of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the only place that reads the system clock")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.map_or(0, |span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        Time(millis)
    }

    fn boot_time(&self) -> Option<BootTime> {
        let reading = read_boot_clock()?;
        Some(BootTime { boot: BootId(reading.boot), elapsed: TimeSpan(reading.elapsed_ms) })
    }
}
