//! Checks: commands that orch runs to verify an attempt, and their results.

pub mod environment;
pub mod key;
pub mod series;

pub use environment::{CheckVariable, CheckVariableError, find_mentioned_names};
pub use key::{CheckIdentity, CheckKey};
pub use series::{CheckPolicy, FlakyVerdict, KnownCheck, SeriesStep};

use crate::id::{AttemptId, CommitHash, RunId, TreeHash};
use crate::time::{Time, TimeSpan};

named_enum! {
    /// The commit that a check ran on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CheckStage {
        /// The run's base commit.
        Baseline = "baseline",
        /// The commit that an attempt reported.
        Attempt = "attempt",
        /// The merge of an attempt into the run's branch.
        Merge = "merge",
        /// The merge of the run's branch into the branch that it lands on.
        Land = "land",
        /// The tip of the run's branch after others advanced it.
        Branch = "branch",
        /// The branch that the run lands on, alone.
        Target = "target",
    }
}

named_enum! {
    /// The result of a check.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CheckState {
        /// It exited with status 0.
        Passed = "passed",
        /// It exited with another status or by a signal.
        Failed = "failed",
        /// It was terminated at its time limit.
        TimedOut = "timed_out",
        /// It could not run, or something outside ended it, so the result is unknown.
        CouldNotStart = "could_not_start",
    }
}

named_enum! {
    /// Where a check is defined.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CheckSource {
        /// By the run, for every attempt.
        Run = "run",
        /// By a task, for its attempts.
        Task = "task",
        /// The setup command of a worktree, which verifies nothing.
        Setup = "setup",
        /// A built-in check, such as for changes to protected files.
        Tool = "tool",
    }
}

/// The result of a check, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// The run.
    pub run: RunId,
    /// The attempt that was checked; `None` for a check of a branch.
    pub attempt: Option<AttemptId>,
    /// Its stage.
    pub stage: CheckStage,
    /// Where it is defined.
    pub source: CheckSource,
    /// The command, run by `sh -c`.
    pub command: String,
    /// The commit that it ran on.
    pub commit: CommitHash,
    /// The tree of that commit; `None` in records of older versions.
    pub tree: Option<TreeHash>,
    /// Its final state.
    pub state: CheckState,
    /// Its exit status, if it exited with one.
    pub exit_status: Option<i32>,
    /// The reason, where the exit status does not tell it.
    pub message: Option<String>,
    /// Variables that the check did not get and that its command or output mentions, where it failed.
    pub env_not_passed: Vec<String>,
    /// Whether the result was taken over from an earlier check with the same key.
    pub reused: bool,
    /// Whether the check both failed and passed with the same key.
    pub flaky: bool,
    /// Its duration.
    pub duration: TimeSpan,
    /// The file that holds its output.
    pub log: Option<String>,
    /// When it ended.
    pub at: Time,
}

/// The verdict of several checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksVerdict {
    /// All passed, or none ran.
    Good,
    /// At least one failed.
    Bad,
    /// One could not run or timed out, so the verdict is unknown.
    Unknown,
}

/// Returns the verdict of checks that ran in order; the first that did not pass decides.
#[must_use]
pub fn judge_checks(states: impl IntoIterator<Item = CheckState>) -> ChecksVerdict {
    for state in states {
        match state {
            CheckState::Passed => {}
            CheckState::Failed => return ChecksVerdict::Bad,
            CheckState::TimedOut | CheckState::CouldNotStart => return ChecksVerdict::Unknown,
        }
    }
    ChecksVerdict::Good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_does_not_pass_decides() {
        use CheckState as C;
        for (states, judgement) in [
            (&[][..], ChecksVerdict::Good),
            (&[C::Passed, C::Passed], ChecksVerdict::Good),
            (&[C::Passed, C::Failed], ChecksVerdict::Bad),
            (&[C::Failed, C::TimedOut], ChecksVerdict::Bad),
            (&[C::Passed, C::TimedOut], ChecksVerdict::Unknown),
            (&[C::CouldNotStart, C::Failed], ChecksVerdict::Unknown),
        ] {
            assert_eq!(judge_checks(states.iter().copied()), judgement, "{states:?}");
        }
    }

    #[test]
    fn names_round_trip() {
        for state in CheckState::ALL {
            assert_eq!(CheckState::parse(state.name()), Some(state));
        }
        for stage in CheckStage::ALL {
            assert_eq!(CheckStage::parse(stage.name()), Some(stage));
        }
        for source in CheckSource::ALL {
            assert_eq!(CheckSource::parse(source.name()), Some(source));
        }
    }
}
