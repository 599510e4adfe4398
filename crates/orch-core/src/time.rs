//! Points in time and durations, both in whole milliseconds.

use std::ops::{Add, Sub};

use crate::limit;
use serde::Serialize;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is not a whole number with a unit.
    #[error("a duration is a number with a unit: 500ms, 90s, 15m, 2h, 1d")]
    Shape,
    /// It is longer than the longest duration.
    #[error("a duration is at most 365d")]
    TooLong,
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TimeSpan(pub i64);

impl TimeSpan {
    /// Returns a duration in seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    /// Returns a duration in minutes.
    #[must_use]
    pub const fn from_minutes(minutes: i64) -> Self {
        Self(minutes * 60_000)
    }

    /// Returns a duration in hours.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self(hours * 3_600_000)
    }

    /// Parses a duration: a whole number of `ms`, `s`, `m`, `h` or `d`.
    ///
    /// # Errors
    /// The text is not a duration, or longer than a year.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit_ms: i64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(SpanError::Shape),
        };
        if number.is_empty() {
            return Err(SpanError::Shape);
        }
        let span = number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit_ms)).map(Self);
        span.filter(|span| *span <= limit::DURATION_MAX).ok_or(SpanError::TooLong)
    }
}

impl Add<TimeSpan> for Time {
    type Output = Self;

    fn add(self, span: TimeSpan) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Time {
    type Output = TimeSpan;

    fn sub(self, earlier: Self) -> TimeSpan {
        TimeSpan(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("365d", 365 * 86_400_000),
        ] {
            assert_eq!(TimeSpan::parse(text), Ok(TimeSpan(ms)), "{text}");
        }
        for bad in ["", "s", "5", "5x", "-5s", "1.5h", " 5s", "5s ", "1h30m", "५s"] {
            assert_eq!(TimeSpan::parse(bad), Err(SpanError::Shape), "{bad}");
        }
        for long in ["366d", "99999999999999999999s"] {
            assert_eq!(TimeSpan::parse(long), Err(SpanError::TooLong), "{long}");
        }
    }
}
