//! The clock that counts from the start of the host, and that cannot be set.

/// What the boot clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClockReading {
    /// The id of the boot.
    pub boot: u128,
    /// The time since the host started in milliseconds, including suspended time.
    pub elapsed_ms: i64,
}

/// Reads the boot clock; `None` on a system without one.
#[must_use]
pub fn read_boot_clock() -> Option<BootClockReading> {
    let boot = super::identity::boot_id();
    (boot != 0).then(elapsed_ms).flatten().map(|elapsed_ms| BootClockReading { boot, elapsed_ms })
}

#[cfg(target_os = "linux")]
fn elapsed_ms() -> Option<i64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.checked_mul(1_000)?.checked_add(time.tv_nsec / 1_000_000)
}

#[cfg(not(target_os = "linux"))]
fn elapsed_ms() -> Option<i64> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_start_of_the_host() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let (first, second) = (read_boot_clock().unwrap(), read_boot_clock().unwrap());
        assert_eq!(first.boot, second.boot);
        assert!(first.elapsed_ms <= second.elapsed_ms);
        assert!((first.elapsed_ms as f64 / 1_000.0 - uptime).abs() < 60.0, "{first:?} {uptime}");
    }
}
