//! The clock of a store: which time a transaction has when the wall clock may be wrong.
//!
//! The store keeps an anchor: a point in time and what the boot clock showed then.
//! Within one boot of the host the boot clock says how much time has passed, so that a wall clock that is set, or wrong in one process, expires nothing.
//! After a reboot the wall clock is believed.

use crate::time::{Time, TimeSpan};

/// How far the wall clock may differ from the boot clock before it is not believed.
pub const WALL_CLOCK_TOLERANCE: TimeSpan = TimeSpan::from_seconds(5);

/// How far the wall clock may differ before the anchor follows it, so that small differences do not add up.
const ANCHOR_TOLERANCE: TimeSpan = TimeSpan::from_seconds(1);

/// How long each process must see one difference until it counts as a clock that was set.
const STEP_CONFIRMATION: TimeSpan = TimeSpan::from_seconds(60);

/// The identity of one boot of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootId(pub u128);

/// What the boot clock shows: the time since the host started, including suspended time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootTime {
    /// The boot.
    pub boot: BootId,
    /// The time since it.
    pub elapsed: TimeSpan,
}

/// What the clocks of the host show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock.
    pub wall: Time,
    /// The boot clock; `None` on a system without one, where the wall clock always counts.
    pub boot: Option<BootTime>,
}

/// A difference between the wall clock and the store's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// How far the wall clock is ahead.
    pub by: TimeSpan,
    /// What the boot clock showed when it was first seen.
    pub seen: TimeSpan,
}

/// A point in time with what the boot clock showed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockAnchor {
    /// The store's time.
    pub time: Time,
    /// The boot clock at that time.
    pub boot: BootTime,
    /// The difference that the last write saw, if it was larger than the tolerance.
    pub step: Option<ClockStep>,
}

/// What a write records about the clock of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// Record the anchor; nothing else changes.
    Record(ClockAnchor),
    /// The first write after a boot: deadlines further ahead than their length are shortened to it.
    Restart(ClockAnchor),
    /// The wall clock was set, and every write since has confirmed it: all deadlines move by `by`.
    Adopt {
        /// The anchor at the new time.
        anchor: ClockAnchor,
        /// How far the clock was set ahead.
        by: TimeSpan,
    },
}

/// The time of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJudgement {
    /// The store's time.
    pub now: Time,
    /// How far the wall clock is ahead, if it is not believed.
    pub disagreement: Option<TimeSpan>,
    /// What a write records.
    pub change: Option<ClockChange>,
}

/// Judges what time it is for a store.
#[must_use]
pub fn judge_clock(anchor: Option<&ClockAnchor>, reading: &ClockReading) -> ClockJudgement {
    let wall = reading.wall;
    let Some(boot) = reading.boot else {
        return ClockJudgement { now: wall, disagreement: None, change: None };
    };
    let believed = ClockAnchor { time: wall, boot, step: None };
    let Some(anchor) = anchor.filter(|anchor| anchor.boot.boot == boot.boot) else {
        let change = Some(ClockChange::Restart(believed));
        return ClockJudgement { now: wall, disagreement: None, change };
    };
    let expected = anchor.time + TimeSpan(boot.elapsed.0.saturating_sub(anchor.boot.elapsed.0));
    let ahead = wall - expected;
    if is_within(ahead, WALL_CLOCK_TOLERANCE) {
        let is_anchored = is_within(ahead, ANCHOR_TOLERANCE) && anchor.step.is_none();
        let change = (!is_anchored).then_some(ClockChange::Record(believed));
        return ClockJudgement { now: wall, disagreement: None, change };
    }
    let first_seen = anchor
        .step
        .filter(|step| is_within(TimeSpan(ahead.0.saturating_sub(step.by.0)), WALL_CLOCK_TOLERANCE));
    let change = match first_seen {
        None => {
            let step = ClockStep { by: ahead, seen: boot.elapsed };
            Some(ClockChange::Record(ClockAnchor { step: Some(step), ..*anchor }))
        }
        Some(step) if boot.elapsed.0.saturating_sub(step.seen.0) >= STEP_CONFIRMATION.0 => {
            Some(ClockChange::Adopt { anchor: believed, by: ahead })
        }
        Some(_) => None,
    };
    ClockJudgement { now: expected, disagreement: Some(ahead), change }
}

fn is_within(difference: TimeSpan, tolerance: TimeSpan) -> bool {
    difference.0.saturating_abs() <= tolerance.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId(7);
    const HOUR: i64 = 3_600_000;

    fn reading(wall: i64, elapsed: i64) -> ClockReading {
        ClockReading { wall: Time(wall), boot: Some(BootTime { boot: BOOT, elapsed: TimeSpan(elapsed) }) }
    }

    fn anchor(time: i64, elapsed: i64) -> ClockAnchor {
        ClockAnchor {
            time: Time(time),
            boot: BootTime { boot: BOOT, elapsed: TimeSpan(elapsed) },
            step: None,
        }
    }

    #[test]
    fn a_clock_that_agrees_is_believed_and_followed() {
        let at = anchor(HOUR, 0);
        for (wall, is_recorded) in
            [(1_000, false), (2_000, false), (2_001, true), (6_000, true), (-4_000, true)]
        {
            let judged = judge_clock(Some(&at), &reading(HOUR + wall, 1_000));
            assert_eq!((judged.now, judged.disagreement), (Time(HOUR + wall), None), "{wall}");
            assert_eq!(judged.change.is_some(), is_recorded, "{wall}");
        }
    }

    #[test]
    fn within_a_boot_a_wall_clock_that_jumps_passes_no_time() {
        let at = anchor(HOUR, 0);
        for jump in [24 * HOUR, -24 * HOUR, 5_001, -5_001] {
            let judged = judge_clock(Some(&at), &reading(HOUR + 1_000 + jump, 1_000));
            assert_eq!((judged.now, judged.disagreement), (Time(HOUR + 1_000), Some(TimeSpan(jump))));
            let step = Some(ClockStep { by: TimeSpan(jump), seen: TimeSpan(1_000) });
            assert_eq!(judged.change, Some(ClockChange::Record(ClockAnchor { step, ..at })));
        }
    }

    #[test]
    fn a_step_that_every_write_confirms_for_a_minute_is_adopted() {
        let step = Some(ClockStep { by: TimeSpan(HOUR), seen: TimeSpan(1_000) });
        let at = ClockAnchor { step, ..anchor(0, 0) };
        let judged = judge_clock(Some(&at), &reading(HOUR + 60_999, 60_999));
        assert_eq!((judged.now, judged.change), (Time(60_999), None), "not yet");
        let judged = judge_clock(Some(&at), &reading(HOUR + 61_000, 61_000));
        let expected = ClockChange::Adopt { anchor: anchor(HOUR + 61_000, 61_000), by: TimeSpan(HOUR) };
        assert_eq!((judged.now, judged.change), (Time(61_000), Some(expected)));
        let judged = judge_clock(Some(&at), &reading(61_000, 61_000));
        let expected = ClockChange::Record(anchor(61_000, 61_000));
        assert_eq!((judged.disagreement, judged.change), (None, Some(expected)), "one process was wrong");
        let judged = judge_clock(Some(&at), &reading(-HOUR, 61_000));
        assert!(matches!(judged.change, Some(ClockChange::Record(ClockAnchor { step: Some(_), .. }))));
    }

    #[test]
    fn after_a_reboot_and_without_a_boot_clock_the_wall_clock_counts() {
        let other = ClockReading {
            wall: Time(9 * HOUR),
            boot: Some(BootTime { boot: BootId(8), elapsed: TimeSpan(5) }),
        };
        for before in [None, Some(&anchor(HOUR, 0))] {
            let judged = judge_clock(before, &other);
            assert_eq!((judged.now, judged.disagreement), (Time(9 * HOUR), None));
            assert!(
                matches!(judged.change, Some(ClockChange::Restart(found)) if found.time == Time(9 * HOUR))
            );
        }
        let bootless = ClockReading { wall: Time(5), boot: None };
        let judged = judge_clock(Some(&anchor(HOUR, 0)), &bootless);
        assert_eq!((judged.now, judged.disagreement, judged.change), (Time(5), None, None));
    }
}
