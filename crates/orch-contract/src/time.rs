//! Points in time as the contract writes them: RFC 3339, UTC, milliseconds.

use std::fmt;

use jiff::Timestamp;
use orch_core::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, written like `2026-11-22T13:15:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTimestamp(pub Time);

impl From<Time> for UtcTimestamp {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

impl fmt::Display for UtcTimestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A time outside the calendar can only come from a damaged clock; the nearest one that can be written is shown.
        let nearest = if self.0.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let timestamp = Timestamp::from_millisecond(self.0.0).unwrap_or(nearest);
        write!(formatter, "{timestamp:.3}")
    }
}

impl Serialize for UtcTimestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let timestamp: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(Time(timestamp.as_millisecond())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_three_decimals_and_round_trip() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_353_300_123, "2026-11-22T13:15:00.123Z"),
            (1_795_353_300_120, "2026-11-22T13:15:00.120Z"),
        ] {
            let stamp = UtcTimestamp(Time(millis));
            assert_eq!(stamp.to_string(), text);
            let json = serde_json::to_string(&stamp).unwrap();
            assert_eq!(serde_json::from_str::<UtcTimestamp>(&json).unwrap(), stamp);
        }
        assert!(UtcTimestamp(Time(i64::MAX)).to_string().starts_with("9999-"));
    }
}
