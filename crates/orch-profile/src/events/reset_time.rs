//! The time from which a provider takes requests again, as clients tell it: a number, a timestamp, or words in a message.

use orch_core::time::{Time, TimeSpan};
use serde_json::Value;

/// When a provider takes requests again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTime {
    /// At this time.
    At(Time),
    /// So long after it was told.
    In(TimeSpan),
}

/// What precedes a duration in the messages of providers.
const BEFORE_DURATION: [&str; 6] =
    ["retry after", "retry-after", "retry_after", "try again in", "retry in", "resets in"];

/// Numbers below this one are seconds from now; larger ones are seconds, or milliseconds, since 1970.
const SECONDS_MAX: f64 = 1e8;

/// Seconds since 1970 have fewer digits than this number, milliseconds more.
const EPOCH_SECONDS_MAX: f64 = 1e11;

impl ResetTime {
    /// Returns the time, where it was told just now.
    #[must_use]
    pub fn resolve_at(self, now: Time) -> Time {
        match self {
            Self::At(time) => time,
            Self::In(span) => now + span,
        }
    }

    /// Reads a value of an event: a number of seconds, a time since 1970, a timestamp, a duration, or a message.
    #[must_use]
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::from_number(number.as_f64()?),
            Value::String(text) => {
                let text = text.trim();
                let number = text.parse::<f64>().ok().and_then(Self::from_number);
                number
                    .or_else(|| TimeSpan::parse(text).ok().map(Self::In))
                    .or_else(|| Self::find_in_text(text))
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn from_number(number: f64) -> Option<Self> {
        let to_ms = |factor: f64| {
            let ms = (number * factor).round();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the range is checked before the cast is used"
            )]
            (1.0..4e15).contains(&ms).then_some(ms as i64)
        };
        if number < SECONDS_MAX {
            return to_ms(1_000.0).map(|ms| Self::In(TimeSpan(ms)));
        }
        to_ms(if number < EPOCH_SECONDS_MAX { 1_000.0 } else { 1.0 }).map(|ms| Self::At(Time(ms)))
    }

    /// Finds a time in a message.
    #[must_use]
    pub fn find_in_text(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let in_words = BEFORE_DURATION.iter().find_map(|words| {
            let (_, rest) = lower.split_once(words)?;
            parse_duration_words(rest.trim_start_matches([' ', ':', '=', '"']))
        });
        if let Some(span) = in_words {
            return Some(Self::In(span));
        }
        let parts =
            text.split(|part: char| part.is_whitespace() || matches!(part, '|' | '(' | ')' | '"' | ','));
        parts.map(|part| part.trim_end_matches(['.', ';', '!'])).find_map(read_timestamp)
    }
}

/// Reads a timestamp: RFC 3339 in UTC, or the seconds since 1970 of this century.
fn read_timestamp(part: &str) -> Option<ResetTime> {
    let is_epoch = matches!(part.len(), 10 | 13) && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_epoch {
        return part.parse::<f64>().ok().and_then(ResetTime::from_number);
    }
    let (day, clock) = part.strip_suffix(['Z', 'z'])?.split_once(['T', 't'])?;
    let mut numbers = day.splitn(3, '-').map(|number| number.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let mut numbers = clock.splitn(3, ':');
    let (hour, minute) = (numbers.next()?.parse::<i64>().ok()?, numbers.next()?.parse::<i64>().ok()?);
    // Parts of a second do not matter.
    let second = numbers.next()?.split('.').next()?.parse::<i64>().ok()?;
    let is_valid = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    is_valid.then_some(ResetTime::At(Time(seconds * 1_000)))
}

/// Counts the days from 1970 to a date of the Gregorian calendar, in years that begin in March.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}

/// Parses the beginning of a text as a duration: `30`, `1.5s`, `1h30m`, `2 days and 3 hours`.
fn parse_duration_words(text: &str) -> Option<TimeSpan> {
    let mut rest = text;
    let mut total_ms = 0.0_f64;
    let mut is_found = false;
    loop {
        let digits = rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else { break };
        let behind = behind.trim_start();
        let letters = behind.find(|next: char| !next.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let unit_ms = match unit {
            "ms" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
            "m" | "min" | "mins" | "minute" | "minutes" => 6e4,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3.6e6,
            "d" | "day" | "days" => 8.64e7,
            // A number alone is seconds, as in the header `Retry-After`.
            _ if !is_found => 1e3,
            _ => break,
        };
        total_ms += number * unit_ms;
        is_found = true;
        rest = behind.trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before the cast is used")]
    (is_found && (1.0..4e12).contains(&total_ms)).then_some(TimeSpan(total_ms.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_providers_tell_when_to_go_on() {
        let seconds = |seconds| Some(ResetTime::In(TimeSpan::from_seconds(seconds)));
        for (text, expected) in [
            ("429 Too Many Requests: retry after 30 seconds", seconds(30)),
            ("Rate limit reached. Please try again in 1.5s. Visit …", Some(ResetTime::In(TimeSpan(1_500)))),
            ("You've hit your usage limit. Try again in 2 days 3 hours 5 minutes.", seconds(183_900)),
            ("resets in 1h30m", seconds(5_400)),
            (r#"{"Retry-After": "120"}"#, seconds(120)),
            ("try again in 6m0s", seconds(360)),
            ("Claude AI usage limit reached|1764600000", Some(ResetTime::At(Time(1_764_600_000_000)))),
            ("quota resets at 2026-12-01T05:00:00Z.", Some(ResetTime::At(Time(1_796_101_200_000)))),
            ("429 rate limit", None),
            ("try again later", None),
            ("request 1234567 failed", None),
        ] {
            assert_eq!(ResetTime::find_in_text(text), expected, "{text}");
        }
    }

    #[test]
    fn values_of_events_tell_when_to_go_on() {
        use serde_json::json;
        for (value, expected) in [
            (json!(30), Some(ResetTime::In(TimeSpan::from_seconds(30)))),
            (json!("0.5"), Some(ResetTime::In(TimeSpan(500)))),
            (json!("15m"), Some(ResetTime::In(TimeSpan::from_minutes(15)))),
            (json!(1_764_600_000), Some(ResetTime::At(Time(1_764_600_000_000)))),
            (json!(1_764_600_000_123_i64), Some(ResetTime::At(Time(1_764_600_000_123)))),
            (json!("1970-01-01T00:00:01Z"), Some(ResetTime::At(Time(1_000)))),
            (json!(0), None),
            (json!(-5), None),
            (json!(true), None),
            (json!("soon"), None),
        ] {
            assert_eq!(ResetTime::from_value(&value), expected, "{value}");
        }
        assert_eq!(ResetTime::In(TimeSpan(5)).resolve_at(Time(7)), Time(12));
        assert_eq!(ResetTime::At(Time(5)).resolve_at(Time(7)), Time(5));
    }
}
