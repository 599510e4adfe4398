//! Times relative to now, and lengths of time.

use orch_contract::UtcTimestamp;
use orch_core::time::{Time, TimeSpan};

/// Formats a time relative to now: `just now`, `3m ago`, `in 2h`.
///
/// Past times are rounded down, future times to the nearest unit: a lease of 15 minutes given a moment ago
/// expires in 15.
#[must_use]
pub fn relative_time(now: Time, then: Time) -> String {
    let past = now - then;
    if past.0.abs() < 1_000 {
        "just now".to_owned()
    } else if past.0 > 0 {
        format!("{} ago", coarse_span(past))
    } else {
        format!("in {}", nearest_span(TimeSpan(-past.0)))
    }
}

const UNITS: [(i64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];

/// Formats a time as a clock and a calendar show it, in UTC: `2026-12-01 03:22:16Z`.
#[must_use]
pub fn clock_time(stamp: UtcTimestamp) -> String {
    let text = stamp.to_string();
    match text.get(..19) {
        Some(seconds) => format!("{}Z", seconds.replace('T', " ")),
        None => text,
    }
}

/// Formats a length of time in its largest unit: `45s`, `3m`, `2h`, `5d`.
#[must_use]
pub fn coarse_span(span: TimeSpan) -> String {
    let unit = UNITS.into_iter().find(|(ms, _)| span.0 >= *ms);
    unit.map_or_else(|| format!("{}ms", span.0), |(ms, name)| format!("{}{name}", span.0 / ms))
}

/// Formats a length of time in its largest unit, rounded to the nearest.
fn nearest_span(span: TimeSpan) -> String {
    let rounded = UNITS
        .into_iter()
        .rev()
        .fold(span.0, |ms, (unit, _)| if ms >= unit { (ms + unit / 2) / unit * unit } else { ms });
    coarse_span(TimeSpan(rounded))
}

/// Formats a length of time in its two largest units: `1h 5m`, `15m`, `1m 30s`.
#[must_use]
pub fn fine_span(span: TimeSpan) -> String {
    let Some(first) = UNITS.iter().position(|(ms, _)| span.0 >= *ms) else { return format!("{}ms", span.0) };
    let (ms, name) = UNITS[first];
    let large = format!("{}{name}", span.0 / ms);
    let rest = span.0 % ms;
    match UNITS.get(first + 1) {
        Some((ms, name)) if rest >= *ms => format!("{large} {}{name}", rest / ms),
        _ => large,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_one_unit() {
        for (past_ms, said) in [
            (0, "just now"),
            (999, "just now"),
            (1_000, "1s ago"),
            (59_999, "59s ago"),
            (180_000, "3m ago"),
            (7_200_000, "2h ago"),
            (200_000_000, "2d ago"),
            (-1_400, "in 1s"),
            (-59_700, "in 1m"),
            (-80_000, "in 1m"),
            (-899_999, "in 15m"),
            (-3_599_999, "in 1h"),
            (-5_000_000, "in 1h"),
        ] {
            assert_eq!(relative_time(Time(1_000_000_000), Time(1_000_000_000 - past_ms)), said);
        }
    }

    #[test]
    fn spans_are_said_in_two_units() {
        for (ms, said) in [
            (0, "0ms"),
            (900, "900ms"),
            (90_000, "1m 30s"),
            (900_000, "15m"),
            (3_900_000, "1h 5m"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(fine_span(TimeSpan(ms)), said);
        }
    }
}
