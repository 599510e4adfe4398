//! How often a check runs before its result counts, and what its results say together.

use super::CheckState;
use super::key::CheckIdentity;
use crate::id::AttemptName;
use crate::limit;
use crate::time::{Time, TimeSpan};
use serde::Serialize;

named_enum! {
    /// What a check counts as that both failed and passed with one key.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
    pub enum FlakyVerdict {
        /// It counts as passed: a failure counts only once it was confirmed.
        #[default]
        Pass = "pass",
        /// It counts as failed.
        Fail = "fail",
    }
}

/// How a run treats the results of its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CheckPolicy {
    /// What identifies the files that a check judges.
    pub by: CheckIdentity,
    /// How often a failed check is run again before its failure counts.
    pub retries: u32,
    /// What a check counts as that both failed and passed.
    pub flaky: FlakyVerdict,
}

impl Default for CheckPolicy {
    fn default() -> Self {
        Self {
            by: CheckIdentity::default(),
            retries: limit::CHECK_RETRIES_DEFAULT,
            flaky: FlakyVerdict::default(),
        }
    }
}

/// What follows after a check has run so many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesStep {
    /// It failed, and runs again before the failure counts.
    RunAgain,
    /// Its result counts.
    Conclude {
        /// The result.
        state: CheckState,
        /// Whether it both failed and passed.
        flaky: bool,
    },
}

/// Returns what follows after the runs of a check that ended in these states, at least one.
///
/// A run whose result is unknown confirms nothing, so the whole series is unknown.
#[must_use]
pub fn next_series_step(states: &[CheckState], policy: CheckPolicy) -> SeriesStep {
    let last = states.last().copied().unwrap_or(CheckState::CouldNotStart);
    let failures = states.iter().filter(|state| **state == CheckState::Failed).count();
    match last {
        CheckState::Passed => {
            let flaky = failures > 0;
            SeriesStep::Conclude { state: counted_state(last, flaky, policy.flaky), flaky }
        }
        CheckState::Failed if failures <= usize::try_from(policy.retries).unwrap_or(usize::MAX) => {
            SeriesStep::RunAgain
        }
        CheckState::Failed | CheckState::TimedOut | CheckState::CouldNotStart => {
            SeriesStep::Conclude { state: last, flaky: false }
        }
    }
}

/// Returns what a result counts as.
fn counted_state(state: CheckState, flaky: bool, verdict: FlakyVerdict) -> CheckState {
    match (flaky, verdict) {
        (false, _) => state,
        (true, FlakyVerdict::Pass) => CheckState::Passed,
        (true, FlakyVerdict::Fail) => CheckState::Failed,
    }
}

/// A result that is known for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCheck {
    /// Passed or failed; anything else is never known for a key.
    pub state: CheckState,
    /// Whether it both failed and passed.
    pub flaky: bool,
    /// Its exit status, if it exited with one.
    pub exit_status: Option<i32>,
    /// The reason, where the exit status does not tell it.
    pub message: Option<String>,
    /// Its duration.
    pub duration: TimeSpan,
    /// The file that holds its output.
    pub log: Option<String>,
    /// The end of its output, where it failed.
    pub tail: Option<String>,
    /// Variables that it did not get and that its command or output mentions, where it failed.
    pub env_not_passed: Vec<String>,
    /// The attempt that it judged, if that still exists.
    pub attempt: Option<AttemptName>,
    /// The digest of all checks that ran with it.
    pub series: String,
    /// When it ended.
    pub at: Time,
}

impl KnownCheck {
    /// Returns what it counts as under the present policy of the run.
    #[must_use]
    pub fn counted_state(&self, policy: CheckPolicy) -> CheckState {
        counted_state(self.state, self.flaky, policy.flaky)
    }
}

/// Returns the known failure by which a report is unchanged: one of its checks failed before with the same key, for a
/// report that the same checks judged.
#[must_use]
pub fn is_unchanged_report<'k>(
    known: impl IntoIterator<Item = &'k KnownCheck>,
    series: &str,
    policy: CheckPolicy,
) -> Option<&'k KnownCheck> {
    let mut known = known.into_iter();
    known.find(|check| check.counted_state(policy) == CheckState::Failed && check.series == series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckState as C;

    #[test]
    fn a_failure_counts_once_it_is_confirmed() {
        let policy = |retries, flaky| CheckPolicy { retries, flaky, ..CheckPolicy::default() };
        let end = |state, flaky| SeriesStep::Conclude { state, flaky };
        for (states, retries, verdict, step) in [
            (&[C::Passed][..], 1, FlakyVerdict::Pass, end(C::Passed, false)),
            (&[C::Failed], 1, FlakyVerdict::Pass, SeriesStep::RunAgain),
            (&[C::Failed], 0, FlakyVerdict::Pass, end(C::Failed, false)),
            (&[C::Failed, C::Failed], 1, FlakyVerdict::Pass, end(C::Failed, false)),
            (&[C::Failed, C::Failed], 2, FlakyVerdict::Pass, SeriesStep::RunAgain),
            (&[C::Failed, C::Passed], 1, FlakyVerdict::Pass, end(C::Passed, true)),
            (&[C::Failed, C::Passed], 1, FlakyVerdict::Fail, end(C::Failed, true)),
            (&[C::TimedOut], 1, FlakyVerdict::Pass, end(C::TimedOut, false)),
            (&[C::Failed, C::TimedOut], 1, FlakyVerdict::Fail, end(C::TimedOut, false)),
            (&[C::CouldNotStart], 3, FlakyVerdict::Fail, end(C::CouldNotStart, false)),
        ] {
            assert_eq!(next_series_step(states, policy(retries, verdict)), step, "{states:?} {retries}");
        }
    }

    fn known(state: CheckState, flaky: bool, series: &str) -> KnownCheck {
        KnownCheck {
            state,
            flaky,
            exit_status: Some(1),
            message: None,
            duration: TimeSpan(1),
            log: None,
            tail: None,
            env_not_passed: Vec::new(),
            attempt: None,
            series: series.to_owned(),
            at: Time(1),
        }
    }

    #[test]
    fn a_report_is_unchanged_only_under_the_same_checks() {
        let policy = |flaky| CheckPolicy { flaky, ..CheckPolicy::default() };
        for (check, verdict, unchanged) in [
            (known(C::Failed, false, "a"), FlakyVerdict::Pass, true),
            (known(C::Failed, false, "b"), FlakyVerdict::Pass, false),
            (known(C::Passed, false, "a"), FlakyVerdict::Pass, false),
            (known(C::Passed, true, "a"), FlakyVerdict::Pass, false),
            (known(C::Passed, true, "a"), FlakyVerdict::Fail, true),
            (known(C::Failed, true, "a"), FlakyVerdict::Pass, false),
        ] {
            let found = is_unchanged_report([&check], "a", policy(verdict));
            assert_eq!(found.is_some(), unchanged, "{check:?}");
        }
    }
}
