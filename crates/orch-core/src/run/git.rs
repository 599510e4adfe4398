//! The git side of a run, the rules for its attempts, and its resource usage.

use crate::check::CheckPolicy;
use crate::id::CommitHash;
use crate::limit;
use crate::time::TimeSpan;
use serde::Serialize;

/// The repository, base commit and branch of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunGit {
    /// The common git folder of the repository.
    pub repository: String,
    /// The base commit.
    pub base: CommitHash,
    /// The branch that was checked out at the base commit, if any.
    pub base_branch: Option<String>,
    /// The run's branch, which collects accepted work.
    pub branch: String,
    /// The commit where orch left the branch: created it, merged into it, or passed the commits of others.
    pub tip: CommitHash,
    /// The last commit at which the branch was found that orch did not leave it at, and that an event has reported.
    pub seen: Option<CommitHash>,
    /// The prefix of the names of its attempts' branches.
    pub branch_prefix: String,
    /// The folder of its attempts' worktrees.
    pub root: String,
    /// The status of the baseline checks.
    pub baseline: BaselineStatus,
}

named_enum! {
    /// The status of the run's checks on its base commit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum BaselineStatus {
        /// They have not run.
        Pending = "pending",
        /// All passed.
        Passed = "passed",
        /// At least one failed.
        Failed = "failed",
        /// Some failed, and the lead resumed the run.
        Overridden = "overridden",
    }
}

named_enum! {
    /// What happens when others advance the run's branch.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
    pub enum BranchMovePolicy {
        /// The new tip is checked before the next merge or landing; the run is paused if that fails.
        #[default]
        Check = "check",
        /// The run is paused.
        Pause = "pause",
    }
}

named_enum! {
    /// Which attempts wait for a person's review after their checks.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
    pub enum ReviewPolicy {
        /// None.
        #[default]
        None = "none",
        /// All.
        All = "all",
        /// Those that change protected files, which are then no failed check.
        Protected = "protected",
    }
}

/// How worktrees of a run are prepared and its attempts verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRules {
    /// The commands that verify every attempt.
    pub verify: Vec<String>,
    /// The setup command of a new worktree.
    pub setup: Option<String>,
    /// Patterns of ignored files that are copied into a new worktree.
    pub copy: Vec<String>,
    /// Patterns of files that no attempt may change.
    pub protect: Vec<String>,
    /// The time limit of one check, or of the setup.
    pub check_limit: TimeSpan,
    /// How the results of checks are treated.
    pub checks: CheckPolicy,
    /// Patterns of untracked files that stay in a check tree from one check to the next.
    pub check_cache: Vec<String>,
    /// Variables that checks and setups get besides those that workers get: `NAME`, `PREFIX_*` or `NAME=VALUE`.
    pub check_env: Vec<String>,
    /// Whether they get the whole environment of the process that runs them, as in runs of older versions.
    pub inherits_env: bool,
    /// Patterns of the files on which the output of the setup depends; empty is the whole commit.
    pub setup_key: Vec<String>,
    /// Patterns of the tracked files that the setup may change, to be restored; empty is all.
    pub setup_may_change: Vec<String>,
    /// What happens when others advance the run's branch.
    pub on_branch_move: BranchMovePolicy,
    /// Whether commits that orch makes carry trailers that name the attempt.
    pub trailers: bool,
    /// Whether the user's hooks run for merges that orch makes.
    pub run_hooks: bool,
    /// How many rejected attempts of a task are continued in their sessions and worktrees.
    pub rework: u32,
    /// Which attempts wait for a person's review after their checks, unless their task says otherwise.
    pub review: ReviewPolicy,
}

impl Default for AttemptRules {
    fn default() -> Self {
        Self {
            verify: Vec::new(),
            setup: None,
            copy: Vec::new(),
            protect: Vec::new(),
            check_limit: limit::CHECK_LIMIT_DEFAULT,
            checks: CheckPolicy::default(),
            check_cache: Vec::new(),
            check_env: Vec::new(),
            inherits_env: false,
            setup_key: Vec::new(),
            setup_may_change: Vec::new(),
            on_branch_move: BranchMovePolicy::default(),
            trailers: true,
            run_hooks: false,
            rework: limit::REWORK_DEFAULT,
            review: ReviewPolicy::None,
        }
    }
}
