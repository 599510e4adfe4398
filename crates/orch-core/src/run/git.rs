//! What a run with worktrees stands on, what judges its attempts, and what it has spent.

use crate::id::CommitHash;
use crate::limit;
use crate::time::TimeSpan;
use serde::Serialize;

/// The commit that a run began from, and the places that were made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunGit {
    /// The repository's common folder.
    pub repository: String,
    /// The commit that the run began from.
    pub base: CommitHash,
    /// The branch that commit was on, where it was on one.
    pub base_branch: Option<String>,
    /// The run's branch, which collects what is good.
    pub branch: String,
    /// What the names of its attempts' branches begin with.
    pub branch_prefix: String,
    /// The folder that its attempts' worktrees are made in.
    pub root: String,
    /// What the run's checks say of the base itself.
    pub baseline: BaselineStatus,
}

/// What the run's checks say of the commit that the run began from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaselineStatus {
    /// They have not run on it.
    Pending,
    /// All passed.
    Passed,
    /// At least one failed.
    Failed,
    /// Some failed, and the lead goes on all the same.
    Overridden,
}

impl BaselineStatus {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Passed, Self::Failed, Self::Overridden];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Overridden => "overridden",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|baseline| baseline.name() == name)
    }
}

/// What prepares and judges the attempts of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRules {
    /// Commands that judge every attempt.
    pub verify: Vec<String>,
    /// The command that prepares a new worktree.
    pub setup: Option<String>,
    /// Patterns of ignored files that a new worktree gets from the main one.
    pub copy: Vec<String>,
    /// Patterns of files that no attempt may change.
    pub protect: Vec<String>,
    /// How long one check, or the setup, may take.
    pub check_limit: TimeSpan,
}

impl Default for AttemptRules {
    fn default() -> Self {
        Self {
            verify: Vec::new(),
            setup: None,
            copy: Vec::new(),
            protect: Vec::new(),
            check_limit: limit::CHECK_LIMIT_DEFAULT,
        }
    }
}

/// What the attempts of a run have spent, as far as their profiles tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Cost in millionths of a US dollar.
    pub cost_micros: i64,
    /// Tokens.
    pub tokens: i64,
    /// How many attempts there were.
    pub attempts: i64,
}
