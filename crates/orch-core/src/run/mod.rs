//! Runs: a goal with a graph of tasks, its policy and its budget.

pub mod branch;
pub mod budget;
pub mod decide;
pub mod git;
pub mod landing;
pub mod reserve;
pub mod state;
pub mod usage;

pub use budget::Budget;
pub use git::{AttemptRules, BaselineStatus, BranchMovePolicy, ReviewPolicy, RunGit};
pub use landing::{LandingManner, RunLanding};
pub use state::{PauseReason, RunOutcome, RunPause, RunState, RunStatus};
pub use usage::{CostSource, ResourceUsage, TokenUsage};

use crate::check::{CheckIdentity, FlakyVerdict};
use crate::id::{RunId, Slug};
use crate::lease::LeaseLength;
use crate::task::TaskState;
use crate::time::{Time, TimeSpan};
use serde::Serialize;

named_enum! {
    /// When a task is done.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
    pub enum DoneWhen {
        /// When its worker has reported.
        Reported = "reported",
        /// When all checks have passed on the attempt's commit.
        Verified = "verified",
        /// When the attempt is merged into the run's branch and the checks have passed on the merge.
        Integrated = "integrated",
    }
}

/// The limits and rules of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// When a task is done; fixed when the run is created.
    pub done_when: DoneWhen,
    /// The limit of live attempts; `None` is no limit.
    pub max_active: Option<u32>,
    /// The limit of failed or rejected attempts of a task.
    pub max_attempts: u32,
    /// The delay before the second attempt; it doubles per failure.
    pub retry_delay: TimeSpan,
    /// The lease length of the run's threads.
    pub lease: LeaseLength,
    /// The delay after which a question's default becomes its answer.
    pub answer_after: Option<TimeSpan>,
}

/// An edit of a run; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunEdit {
    /// A new title.
    pub title: Option<String>,
    /// A new goal.
    pub goal: Option<String>,
    /// A new limit of live attempts; `Some(None)` removes it.
    pub max_active: Option<Option<u32>>,
    /// A new limit of failures.
    pub max_attempts: Option<u32>,
    /// A new first delay.
    pub retry_delay: Option<TimeSpan>,
    /// A new lease.
    pub lease: Option<LeaseLength>,
    /// A new delay of default answers; `Some(None)` removes it.
    pub answer_after: Option<Option<TimeSpan>>,
    /// New checks, replacing the old ones.
    pub verify: Option<Vec<String>>,
    /// A new setup command; an empty one removes it.
    pub setup: Option<String>,
    /// New patterns of files to copy, replacing the old ones.
    pub copy: Option<Vec<String>>,
    /// New patterns of protected files, replacing the old ones.
    pub protect: Option<Vec<String>>,
    /// A new time limit of checks.
    pub check_limit: Option<TimeSpan>,
    /// What identifies the files that a check judges.
    pub check_by: Option<CheckIdentity>,
    /// How often a failed check is run again before its failure counts.
    pub check_retries: Option<u32>,
    /// What a check counts as that both failed and passed.
    pub flaky: Option<FlakyVerdict>,
    /// New patterns of what stays in check trees, replacing the old ones.
    pub check_cache: Option<Vec<String>>,
    /// New variables that checks get, replacing the old ones.
    pub check_env: Option<Vec<String>>,
    /// New patterns of the files on which the setup depends, replacing the old ones.
    pub setup_key: Option<Vec<String>>,
    /// New patterns of the tracked files that the setup may change, replacing the old ones.
    pub setup_may_change: Option<Vec<String>>,
    /// What happens from now on when others advance the run's branch.
    pub on_branch_move: Option<BranchMovePolicy>,
    /// Whether commits that orch makes carry trailers.
    pub trailers: Option<bool>,
    /// Whether the user's hooks run for merges that orch makes.
    pub run_hooks: Option<bool>,
    /// How many rejected attempts of a task are continued from now on.
    pub rework: Option<u32>,
    /// Which attempts wait for a person's review from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewPolicy>,
    /// New limits; those that are not named stay.
    pub budget: Budget,
}

impl RunEdit {
    /// Returns whether the edit changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The number of tasks in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts(pub [i64; TaskState::ALL.len()]);

impl TaskCounts {
    /// Returns the number of tasks in a state.
    #[must_use]
    pub fn in_state(&self, state: TaskState) -> i64 {
        self.0[state.index()]
    }

    /// Returns the number of all tasks.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Returns the number of unfinished tasks.
    #[must_use]
    pub fn unfinished(&self) -> i64 {
        TaskState::ALL
            .into_iter()
            .filter(|state| !state.is_finished())
            .map(|state| self.in_state(state))
            .sum()
    }

    /// Returns the number of attempts that use the run's capacity: dispatched, running and blocked tasks.
    #[must_use]
    pub fn active(&self) -> i64 {
        self.in_state(TaskState::Dispatched)
            + self.in_state(TaskState::Running)
            + self.in_state(TaskState::Blocked)
    }

    /// Adds a task in a state.
    pub fn add_task(&mut self, state: TaskState) {
        self.0[state.index()] += 1;
    }

    /// Moves a task from one state to another.
    pub fn move_task(&mut self, from: TaskState, to: TaskState) {
        self.0[from.index()] -= 1;
        self.0[to.index()] += 1;
    }

    /// Moves several tasks from one state to another.
    pub fn move_tasks(&mut self, from: TaskState, to: TaskState, count: i64) {
        self.0[from.index()] -= count;
        self.0[to.index()] += count;
    }
}

/// A run, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its key in the store.
    pub id: RunId,
    /// Its public name, unique in the store.
    pub name: Slug,
    /// A one-line summary.
    pub title: String,
    /// Its goal.
    pub goal: Option<String>,
    /// Its state.
    pub state: RunState,
    /// Its limits and rules.
    pub policy: Policy,
    /// How its attempts are prepared and verified.
    pub rules: AttemptRules,
    /// Its budget.
    pub budget: Budget,
    /// The resources that it has used.
    pub spent: ResourceUsage,
    /// Its repository, base and branch; `None` for a run without worktrees.
    pub ground: Option<RunGit>,
    /// The folder in which its workers are started; `None` with worktrees, and for runs of older versions.
    pub folder: Option<String>,
    /// The number of consecutive faults of orch itself.
    pub faults: u32,
    /// The number of its tasks by state.
    pub counts: TaskCounts,
    /// The number of the last generated key (`t1`, `t2`, …).
    pub keys_made: u32,
    /// When it was created.
    pub created_at: Time,
    /// When it or one of its tasks last changed.
    pub updated_at: Time,
    /// Its last landing.
    pub landing: Option<RunLanding>,
}
