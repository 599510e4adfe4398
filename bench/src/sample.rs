//! Times of one thing, and what is said of them.

use std::time::Duration;

/// Times in milliseconds, in the order they were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeSamples(Vec<f64>);

impl TimeSamples {
    /// Adds a time.
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(to_milliseconds(time));
    }

    /// Adds a number that is no time.
    pub(crate) fn push_number(&mut self, number: f64) {
        self.0.push(number);
    }

    /// Adds the times of another list.
    pub(crate) fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle one; half of all are at most this.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// 99 of 100 are at most this.
    pub(crate) fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    /// The longest.
    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The smallest of the times that this part of all do not exceed; NaN when there are none.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// Each number divided by the one that was taken beside it.
    pub(crate) fn ratio_to(&self, beside: &Self) -> Self {
        Self(self.0.iter().zip(&beside.0).map(|(one, other)| one / other).collect())
    }
}

/// A time in milliseconds.
pub(crate) fn to_milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples_of(numbers: &[f64]) -> TimeSamples {
        TimeSamples(numbers.to_vec())
    }

    #[test]
    fn quantiles_are_times_that_were_taken() {
        let hundred = samples_of(&(1..=100).rev().map(f64::from).collect::<Vec<_>>());
        assert_eq!((hundred.median(), hundred.p99(), hundred.max()), (50.0, 99.0, 100.0));
        assert_eq!(samples_of(&[7.0]).p99(), 7.0);
        assert!(samples_of(&[]).median().is_nan());
    }

    #[test]
    fn what_was_taken_together_is_compared() {
        let (one, other) = (samples_of(&[3.0, 8.0, 5.0]), samples_of(&[1.0, 4.0, 5.0]));
        assert_eq!(one.ratio_to(&other).median(), 2.0);
    }
}
