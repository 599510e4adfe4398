//! Timestamps of the contract: RFC 3339, UTC, milliseconds.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use orch_core::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The last millisecond that RFC 3339 can represent.
const MILLIS_MAX: i64 = 253_402_300_799_999;

/// A timestamp, formatted like `2026-11-22T13:15:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTimestamp(pub Time);

impl From<Time> for UtcTimestamp {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

impl fmt::Display for UtcTimestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A time outside 1970 to 9999 can only come from a wrong clock; it is clamped.
        let millis = self.0.0.clamp(0, MILLIS_MAX).unsigned_abs();
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).fmt(formatter)
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
        let time = humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)?;
        let since_epoch = time.duration_since(UNIX_EPOCH).map_err(serde::de::Error::custom)?;
        let millis = since_epoch.as_millis().try_into().map_err(serde::de::Error::custom)?;
        Ok(Self(Time(millis)))
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
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (MILLIS_MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            let stamp = UtcTimestamp(Time(millis));
            assert_eq!(stamp.to_string(), text);
            let json = serde_json::to_string(&stamp).unwrap();
            assert_eq!(serde_json::from_str::<UtcTimestamp>(&json).unwrap(), stamp);
        }
        assert_eq!(UtcTimestamp(Time(i64::MAX)).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(UtcTimestamp(Time(-1)).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
