//! One goal: a graph of tasks with its policy.

pub mod budget;
pub mod decide;
pub mod git;
pub mod state;

pub use budget::Budget;
pub use git::{AttemptRules, BaselineStatus, ResourceUsage, RunGit};
pub use state::{PauseReason, RunOutcome, RunPause, RunState, RunStatus};

use crate::id::{RunId, Slug};
use crate::lease::LeaseLength;
use crate::task::TaskState;
use crate::time::{Time, TimeSpan};
use serde::Serialize;

/// When a task counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum DoneWhen {
    /// As soon as its worker says so.
    Reported,
    /// When all checks passed on the attempt's commit.
    Verified,
    /// When that commit, checked again after merging, is on the run's branch.
    Integrated,
}

impl DoneWhen {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Reported, Self::Verified, Self::Integrated];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Verified => "verified",
            Self::Integrated => "integrated",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// The limits and rules of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// When a task counts as done; fixed when the run is made.
    pub done_when: DoneWhen,
    /// How many attempts may be under way at once; `None` is no limit.
    pub max_active: Option<u32>,
    /// How many failed or rejected attempts a task may have.
    pub max_attempts: u32,
    /// The delay before the second try; it doubles per failure.
    pub retry_delay: TimeSpan,
    /// The lease of the run's threads.
    pub lease: LeaseLength,
    /// After how long a question's default becomes its answer.
    pub answer_after: Option<TimeSpan>,
}

/// What an edit of a run changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunEdit {
    /// A new title.
    pub title: Option<String>,
    /// A new goal.
    pub goal: Option<String>,
    /// A new limit of attempts at once; `Some(None)` takes it away.
    pub max_active: Option<Option<u32>>,
    /// A new limit of failures.
    pub max_attempts: Option<u32>,
    /// A new first delay.
    pub retry_delay: Option<TimeSpan>,
    /// A new lease.
    pub lease: Option<LeaseLength>,
    /// A new delay of default answers; `Some(None)` takes it away.
    pub answer_after: Option<Option<TimeSpan>>,
    /// New checks in place of the old ones.
    pub verify: Option<Vec<String>>,
    /// A new command that prepares a worktree; an empty one takes it away.
    pub setup: Option<String>,
    /// New patterns of files to bring along in place of the old ones.
    pub copy: Option<Vec<String>>,
    /// New patterns of protected files in place of the old ones.
    pub protect: Option<Vec<String>>,
    /// A new time limit of checks.
    pub check_limit: Option<TimeSpan>,
    /// A new limit of wall time; `Some(None)` takes it away.
    pub max_wall: Option<Option<TimeSpan>>,
    /// A new limit of cost; `Some(None)` takes it away.
    pub max_cost_micros: Option<Option<i64>>,
    /// A new limit of tokens; `Some(None)` takes it away.
    pub max_tokens: Option<Option<i64>>,
    /// A new limit of all attempts together; `Some(None)` takes it away.
    pub max_attempts_all: Option<Option<u32>>,
    /// A new limit of wall time per task; `Some(None)` takes it away.
    pub task_wall: Option<Option<TimeSpan>>,
    /// A new limit of cost per task; `Some(None)` takes it away.
    pub task_cost_micros: Option<Option<i64>>,
    /// A new limit of tokens per task; `Some(None)` takes it away.
    pub task_tokens: Option<Option<i64>>,
}

impl RunEdit {
    /// Whether it changes nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How many tasks a run has in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts(pub [i64; TaskState::ALL.len()]);

impl TaskCounts {
    /// How many are in a state.
    #[must_use]
    pub fn in_state(&self, state: TaskState) -> i64 {
        self.0[state.index()]
    }

    /// All tasks.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Tasks that something may still happen to.
    #[must_use]
    pub fn unfinished(&self) -> i64 {
        TaskState::ALL
            .into_iter()
            .filter(|state| !state.is_finished())
            .map(|state| self.in_state(state))
            .sum()
    }

    /// Attempts that hold one of the run's places: dispatched, running and blocked tasks.
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
}

/// A run as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its key in the store.
    pub id: RunId,
    /// Its public name, unique in the store.
    pub name: Slug,
    /// One line that says what it is.
    pub title: String,
    /// What it is for.
    pub goal: Option<String>,
    /// Its state.
    pub state: RunState,
    /// Its limits and rules.
    pub policy: Policy,
    /// What judges and prepares its attempts.
    pub rules: AttemptRules,
    /// How much it may spend.
    pub budget: Budget,
    /// How much it has spent.
    pub spent: ResourceUsage,
    /// The commit it began from and what belongs to that; `None` for a run without worktrees.
    pub ground: Option<RunGit>,
    /// How many times in a row what the tool itself does could not be done.
    pub faults: u32,
    /// Its tasks by state.
    pub counts: TaskCounts,
    /// The number of the last key that was made (`t1`, `t2`, …).
    pub keys_made: u32,
    /// When it was made.
    pub created_at: Time,
    /// When it, or one of its tasks, last changed.
    pub updated_at: Time,
}
