//! The facts that a brief is rendered from.

use std::path::PathBuf;

use orch_core::id::{AttemptName, ThreadId};

use super::super::profile::ResponsibleParty;

/// The facts for the brief of a new attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BriefFacts {
    /// The attempt, which also names the task and the run.
    pub attempt: AttemptName,
    /// The attempt's thread.
    pub thread: ThreadId,
    /// The task's title.
    pub title: String,
    /// The task's spec.
    pub spec: Option<String>,
    /// The largest part of the spec that the brief may contain: [`super::super::Profile::spec_bytes_max`].
    pub spec_bytes_max: usize,
    /// The task's acceptance criteria.
    pub accept: Vec<String>,
    /// The commands that verify the result.
    pub verify: Vec<String>,
    /// The attempt's worktree; `None` outside git.
    pub worktree: Option<BriefWorktree>,
    /// The folder that all workers of the run share, where the attempt has no worktree.
    pub folder: Option<PathBuf>,
    /// The absolute path of the program `inbox`.
    pub inbox: PathBuf,
    /// The absolute path of the program `orch`.
    pub orch: PathBuf,
    /// Whether the worker is resumed if it stops while its question is open.
    pub resumable: bool,
    /// The questions and answers of earlier attempts, oldest first.
    pub answers: Vec<QuestionWithAnswer>,
    /// The earlier attempts and how they ended, oldest first.
    pub earlier: Vec<PriorAttempt>,
}

/// The worktree of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BriefWorktree {
    /// The absolute path.
    pub path: PathBuf,
    /// The branch.
    pub branch: String,
    /// The commit that the branch started from.
    pub base: String,
    /// Who commits.
    pub commit: ResponsibleParty,
    /// Whether a result without a change is accepted.
    pub allow_empty: bool,
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionWithAnswer {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Who answered.
    pub from: String,
}

/// An earlier attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorAttempt {
    /// The name, `RUN/KEY@N`.
    pub attempt: String,
    /// The name of the state in which it ended.
    pub outcome: String,
    /// The reason, as given by the one who ended it.
    pub reason: Option<String>,
    /// The end of the output of its client or its checks.
    pub log_tail: Option<String>,
    /// The branch with its commits, where it made any.
    pub branch: Option<String>,
}

/// The facts for the brief of a resumed session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeFacts {
    /// The attempt.
    pub attempt: AttemptName,
    /// The attempt's thread.
    pub thread: ThreadId,
    /// The absolute path of the program `inbox`.
    pub inbox: PathBuf,
    /// Why the session is resumed.
    pub cause: ResumeCause,
}

/// Why a session is resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeCause {
    /// It was interrupted.
    Interrupted,
    /// The question that the worker stopped for was answered.
    Answered(QuestionWithAnswer),
    /// An earlier attempt of the session was rejected, or reached a limit that was raised, and this attempt continues it.
    Continued(ContinuedWork),
}

/// The attempt that another one continues in its session and its worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContinuedWork {
    /// The ended attempt.
    pub earlier: PriorAttempt,
    /// The branch that is checked out now; `None` outside git.
    pub branch: Option<String>,
    /// The files with conflicts that a merge has left in the worktree.
    pub conflicts: Vec<String>,
    /// Who commits.
    pub commit: ResponsibleParty,
}

/// The facts for the text that asks a worker for the report without which it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NudgeFacts {
    /// The attempt.
    pub attempt: AttemptName,
    /// The attempt's thread.
    pub thread: ThreadId,
    /// The absolute path of the program `inbox`.
    pub inbox: PathBuf,
    /// Whether the branch has commits of the worker.
    pub has_commits: bool,
    /// The changed files that are not committed.
    pub uncommitted: Vec<String>,
    /// Who commits.
    pub commit: ResponsibleParty,
    /// What was wrong with the last report, if one was refused.
    pub refused: Option<String>,
}
