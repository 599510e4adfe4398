//! The response of `orch review`.

use crate::UsdAmount;
use orch_core::path_risk::PathRisk;
use orch_core::run::{LandingManner, RunStatus};
use orch_core::task::{ChecksStatus, TaskState};
use serde::{Deserialize, Serialize};

use crate::attempt::FileChangeView;
use crate::check::CheckView;
use crate::run::RunLandingView;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// What a responsible person reads before a run lands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewResponse {
    /// The run.
    pub run: String,
    /// Its title.
    pub title: String,
    /// Its goal.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// Its branch; null for a run without worktrees.
    pub branch: Option<String>,
    /// The branch that it began on.
    pub base_branch: Option<String>,
    /// The commit that the changes are compared with; null where they cannot be read.
    pub base_commit: Option<String>,
    /// The tip of its branch; null where it cannot be read.
    pub tip_commit: Option<String>,
    /// Its last landing.
    pub landed: Option<RunLandingView>,
    /// What was landed without checks, or with other files than a merge makes: read these first.
    pub overrides: Vec<OverriddenLandingView>,
    /// How many files the run changes; null where they cannot be read.
    pub files_total: Option<u64>,
    /// The lines that it adds to text files.
    pub added: u64,
    /// The lines that it removes from text files.
    pub removed: u64,
    /// The changed files to read first: protected ones, then those whose path is risky; at most 100.
    pub read_first: Vec<ReviewedFileView>,
    /// Attempts that a person accepted instead of the checks.
    pub by_hand: Vec<HandJudgementView>,
    /// Commits of others on the run's branch.
    pub others: Vec<ForeignCommitsView>,
    /// The finished tasks that nothing checked, `RUN/KEY`; at most 100.
    pub unchecked: Vec<String>,
    /// Their total number.
    pub unchecked_total: u64,
    /// The questions of workers, and who answered them; at most 100.
    pub questions: Vec<ReviewedQuestionView>,
    /// The tasks with their evidence, those that are done first; at most 200.
    pub tasks: Vec<TaskEvidenceView>,
    /// Their total number, without cancelled ones.
    pub tasks_total: u64,
    /// What the run cost in US dollars; null where no worker reported it.
    pub cost_usd: Option<UsdAmount>,
    /// The next commands, the most useful first.
    pub next: Vec<String>,
}

/// A landing that checks do not vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverriddenLandingView {
    /// The branch that the run landed on.
    pub branch: String,
    /// The commit of that branch with the run.
    pub commit: String,
    /// How it landed.
    pub manner: WireWord<LandingManner>,
    /// The reason that was given.
    pub reason: String,
    /// Who requested it.
    pub by: Option<String>,
    /// When.
    pub at: UtcTimestamp,
}

/// A changed file that should be read first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewedFileView {
    /// Its path.
    pub path: String,
    /// Added lines; null for binary files.
    pub added: Option<u64>,
    /// Removed lines; null for binary files.
    pub removed: Option<u64>,
    /// Whether the run protects it.
    pub protected: bool,
    /// Why its path deserves attention; null for a protected file with an ordinary path.
    pub risk: Option<WireWord<PathRisk>>,
    /// The tasks that changed it, `RUN/KEY`; empty where no attempt reported it.
    pub tasks: Vec<String>,
}

/// An attempt that a person accepted instead of the checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HandJudgementView {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// Who accepted it.
    pub by: Option<String>,
    /// The reason that was given.
    pub reason: Option<String>,
}

/// Commits of others by which the run's branch advanced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ForeignCommitsView {
    /// The commit of the branch after them.
    pub commit: String,
    /// How many commits.
    pub commits: u64,
    /// Their authors.
    pub authors: Vec<String>,
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewedQuestionView {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The question.
    pub question: String,
    /// The answer; null while it is open, and for a question that was withdrawn.
    pub answer: Option<String>,
    /// Who answered; null for the question's own default.
    pub answered_by: Option<String>,
    /// Whether it is open.
    pub open: bool,
}

/// A task with the evidence that it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskEvidenceView {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// Its acceptance criteria, in words.
    pub accept: Vec<String>,
    /// The attempt that decides its outcome, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The agent that worked on it.
    pub agent: Option<String>,
    /// The status of its checks.
    pub checks_status: WireWord<ChecksStatus>,
    /// The checks that ran on it, in order.
    pub checks: Vec<CheckView>,
    /// The commands that are its checks and have no result.
    pub checks_missing: Vec<String>,
    /// The commit that its worker reported.
    pub commit: Option<String>,
    /// The merge commit on the run's branch.
    pub merged_commit: Option<String>,
    /// The files that it changed; empty where there are too many.
    pub files: Vec<FileChangeView>,
    /// Their number.
    pub files_total: u64,
    /// What its worker reported.
    pub result: Option<String>,
}
