//! Clocks that the standard library does not read.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Done;

/// How long this process was on a processor so far.
pub(crate) fn processor() -> Done<Duration> {
    read(ClockId::ProcessCPUTime)
}

/// A time that two processes of this machine can compare.
pub(crate) fn monotonic() -> Done<Duration> {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Done<Duration> {
    let time = clock_gettime(clock);
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}
