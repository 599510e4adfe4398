//! Commands that the tool runs to judge an attempt, and what they said.

use crate::id::{AttemptId, CommitHash, RunId};
use crate::time::{Time, TimeSpan};

/// On what a check ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStage {
    /// On the commit that the run began from.
    Baseline,
    /// On the commit that an attempt reported.
    Attempt,
    /// On an attempt merged with the run's branch.
    Merge,
    /// On the run's branch merged with the branch it lands on.
    Land,
}

impl CheckStage {
    /// Every stage.
    pub const ALL: [Self; 4] = [Self::Baseline, Self::Attempt, Self::Merge, Self::Land];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Attempt => "attempt",
            Self::Merge => "merge",
            Self::Land => "land",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckState {
    /// It ended with status 0.
    Passed,
    /// It ended otherwise.
    Failed,
    /// It was ended at its time limit.
    TimedOut,
    /// It says nothing about the tree, because it could not do its work.
    CouldNotStart,
}

impl CheckState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::TimedOut, Self::CouldNotStart];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::CouldNotStart => "could_not_start",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Whose check it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckSource {
    /// Every attempt of the run is judged by it.
    Run,
    /// The attempts of one task are judged by it.
    Task,
    /// It prepares a tree; it judges nothing.
    Setup,
    /// No command: what the tool itself finds, such as a change to a protected file.
    Tool,
}

impl CheckSource {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::Run, Self::Task, Self::Setup, Self::Tool];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Task => "task",
            Self::Setup => "setup",
            Self::Tool => "tool",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// A check that ran, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// The run.
    pub run: RunId,
    /// The attempt that was judged; `None` where it was a branch as a whole.
    pub attempt: Option<AttemptId>,
    /// On what it ran.
    pub stage: CheckStage,
    /// Whose it is.
    pub source: CheckSource,
    /// What `sh -c` was given.
    pub command: String,
    /// The commit it ran on.
    pub commit: CommitHash,
    /// How it ended.
    pub state: CheckState,
    /// Its exit status, where it ended with one.
    pub exit_status: Option<i32>,
    /// Why, where its exit status does not say it.
    pub message: Option<String>,
    /// How long it took.
    pub duration: TimeSpan,
    /// The file that holds its output.
    pub log: Option<String>,
    /// When it ended.
    pub at: Time,
}

/// What several checks come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksVerdict {
    /// There was none, or all passed.
    Good,
    /// At least one failed or timed out.
    Bad,
    /// One could not do its work, so nothing is known.
    Unknown,
}

/// What checks that ran in order come to; the first that did not pass decides.
#[must_use]
pub fn judge_checks(states: impl IntoIterator<Item = CheckState>) -> ChecksVerdict {
    for state in states {
        match state {
            CheckState::Passed => {}
            CheckState::Failed | CheckState::TimedOut => return ChecksVerdict::Bad,
            CheckState::CouldNotStart => return ChecksVerdict::Unknown,
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
            (&[C::TimedOut, C::CouldNotStart], ChecksVerdict::Bad),
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
