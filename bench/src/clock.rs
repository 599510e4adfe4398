//! Clocks that the standard library does not read.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::BenchResult;

/// How long this process was on a processor so far.
pub(crate) fn processor_time() -> BenchResult<Duration> {
    read_clock(ClockId::ProcessCPUTime)
}

/// A time that two processes of this machine can compare.
pub(crate) fn monotonic_time() -> BenchResult<Duration> {
    read_clock(ClockId::Monotonic)
}

fn read_clock(clock: ClockId) -> BenchResult<Duration> {
    let time = clock_gettime(clock);
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}
