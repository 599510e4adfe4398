//! A random number generator that is reproducible from a seed.

use std::time::Duration;

/// A random number generator: equal seeds give equal sequences.
#[derive(Clone, Debug)]
pub struct SeededRng {
    state: u64,
}

impl SeededRng {
    /// Makes a generator from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns a number from the full range, by splitmix64 (Steele, Lea, Flood 2014).
    pub fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`; 0 if `end` is 0.
    pub fn number_below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_number() % end).unwrap_or(0)
    }

    /// Returns `true` with a probability of `percent` in a hundred.
    pub fn is_within_percent(&mut self, percent: usize) -> bool {
        self.number_below(100) < percent
    }

    /// Picks an element of a slice; `None` if it is empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.number_below(from.len())) }
    }

    /// Returns a duration from zero to `longest`.
    pub fn duration_up_to(&mut self, longest: Duration) -> Duration {
        let micros = usize::try_from(longest.as_micros()).unwrap_or(usize::MAX);
        Duration::from_micros(self.number_below(micros) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_brings_the_same_choices() {
        let choices = |seed| {
            let mut chance = SeededRng::new(seed);
            (0..50).map(|_| chance.number_below(10)).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert_ne!(choices(7), choices(8));
        assert!((0..10).all(|number| choices(1).contains(&number)), "all numbers come up");
        assert_eq!(SeededRng::new(1).pick::<u8>(&[]), None);
        assert!(!SeededRng::new(1).is_within_percent(0) && SeededRng::new(1).is_within_percent(100));
    }
}
