//! Leases: the right to work on a claimed thread until a deadline, fenced by a token.
//!
//! A lease expires at its deadline and is *lost* only after a grace period.
//! During the grace period its holder may still write, which renews it.

use crate::limit;
use crate::time::{Time, TimeSpan};
use serde::Serialize;

/// A lease's length: 1 s to 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeaseLength(TimeSpan);

/// The asked-for length is outside 1 s to 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lease lasts from 1s to 24h")]
pub struct LeaseLengthError;

impl LeaseLength {
    /// The default: 15 minutes.
    pub const DEFAULT: Self = Self(limit::LEASE_DEFAULT);

    /// Checks a length.
    ///
    /// # Errors
    /// The length is shorter than 1 s or longer than 24 h.
    pub fn new(span: TimeSpan) -> Result<Self, LeaseLengthError> {
        if span < limit::LEASE_MIN || span > limit::LEASE_MAX {
            Err(LeaseLengthError)
        } else {
            Ok(Self(span))
        }
    }

    /// Returns the length as a span.
    #[must_use]
    pub fn span(self) -> TimeSpan {
        self.0
    }

    /// Returns a full lease that begins now.
    #[must_use]
    pub fn lease_from(self, now: Time) -> Lease {
        Lease { length: self, expires_at: now + self.0 }
    }
}

/// A running lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The length that a renewal grants.
    pub length: LeaseLength,
    /// When it expires.
    pub expires_at: Time,
}

impl Lease {
    /// Returns whether its time has run out; the holder may still write.
    #[must_use]
    pub fn is_expired(self, now: Time) -> bool {
        now >= self.expires_at
    }

    /// Returns when other agents may claim the work: a quarter of the length after the lease expired.
    #[must_use]
    pub fn lost_at(self) -> Time {
        self.expires_at + TimeSpan(self.length.0.0 / limit::LEASE_GRACE_DIVISOR)
    }

    /// Returns whether other agents may claim the work.
    #[must_use]
    pub fn is_lost(self, now: Time) -> bool {
        now >= self.lost_at()
    }
}

/// The digest of a lease's token, as 64 hexadecimal digits. The token itself is never stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_lost_only_after_its_grace() {
        let lease = LeaseLength::new(TimeSpan::from_seconds(8)).unwrap().lease_from(Time(1_000));
        for (at, expired, lost) in
            [(8_999, false, false), (9_000, true, false), (10_999, true, false), (11_000, true, true)]
        {
            assert_eq!((lease.is_expired(Time(at)), lease.is_lost(Time(at))), (expired, lost), "{at}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for (seconds, good) in [(0, false), (1, true), (86_400, true), (86_401, false), (-5, false)] {
            assert_eq!(LeaseLength::new(TimeSpan::from_seconds(seconds)).is_ok(), good, "{seconds}");
        }
    }
}
