//! Refusals: why a request is refused, as data that `orch-contract` turns into code, message and hint.

pub mod failed_check;
pub mod tree;

pub use failed_check::{FailedCheck, MissingVariables};
pub use tree::{BranchObstacle, TreeProblem, TreeRefusal, UnsavedPart};

use crate::attempt::AttemptState;
use crate::cooldown::ProfileCooldown;
use crate::id::{AttemptName, CommitHash, EventId, MessageId, Slug, TaskName, ThreadId};
use crate::operation_failure::FailedOperation;
use crate::run::reserve::BudgetShortage;
use crate::run::{PauseReason, RunStatus};
use crate::task::TaskState;
use crate::thread::ThreadStatus;
use crate::time::Time;

/// Why a task cannot be dispatched, or makes no progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReadyReason {
    /// Dependencies are not done.
    WaitingDependency {
        /// Their keys.
        on: Vec<Slug>,
    },
    /// An attempt is live.
    Live {
        /// Its name.
        attempt: AttemptName,
    },
    /// It failed recently and waits for its retry delay.
    Backoff {
        /// When it may be dispatched again.
        until: Time,
    },
    /// The lead holds it back.
    Held,
    /// The run is paused.
    RunPaused {
        /// Its name.
        run: Slug,
        /// Why.
        reason: PauseReason,
    },
    /// Its commit was on the run's branch, and no longer is since others moved the branch.
    OffBranch {
        /// The commit.
        commit: CommitHash,
        /// Whether the run is still paused because of that.
        paused: bool,
    },
    /// The run's limit of live attempts is reached.
    Capacity {
        /// The limit of live attempts.
        max: u32,
    },
    /// Its worker waits for an answer.
    Question {
        /// The question.
        text: String,
    },
    /// Its attempt was reported, and the checks have not run yet.
    Checks {
        /// The attempt.
        attempt: AttemptName,
    },
    /// Its attempt waits for a person's review.
    Review {
        /// The attempt.
        attempt: AttemptName,
    },
    /// Its attempt was verified and is not merged yet.
    Merge {
        /// The attempt.
        attempt: AttemptName,
    },
    /// Its dependencies have a merge conflict, so that it has no base commit.
    MergeConflict {
        /// The files.
        files: Vec<String>,
    },
    /// No worker of its profile is started for now.
    ProfileUnavailable(Box<ProfileCooldown>),
    /// An operation that it needs has failed.
    OperationFailed(Box<FailedOperation>),
    /// A limit of time, cost or tokens is reached, or too little of it is left for another attempt.
    Budget(BudgetShortage),
    /// It has no agent.
    NoAgent,
    /// Its thread has not been claimed for a while.
    Unclaimed {
        /// The recipient.
        agent: Slug,
    },
    /// Dependencies failed, were cancelled or were skipped.
    DependencyFailed {
        /// Their keys.
        on: Vec<Slug>,
        /// The failed or cancelled task that is the root cause, if it was found.
        root: Option<Slug>,
    },
    /// It is done or failed.
    Finished {
        /// Its state.
        state: TaskState,
    },
    /// It was cancelled.
    Cancelled,
    /// The run was cancelled.
    RunCancelled {
        /// Its name.
        run: Slug,
    },
}

/// Why an argument is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentProblem {
    /// It is empty.
    #[error("must not be empty")]
    Empty,
    /// It is too long.
    #[error("is longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// It contains a NUL character.
    #[error("contains a NUL character")]
    Nul,
    /// It names something that is not a folder.
    #[error("is not a folder")]
    NotAFolder,
    /// It names a folder inside the repository, where tools would take worktrees for files of the repository.
    #[error("is inside the repository")]
    InRepository,
    /// It names a folder whose parent does not exist.
    #[error("is in a folder that does not exist")]
    NoParent,
    /// It names a folder that cannot be written.
    #[error("cannot be written")]
    NotWritable,
    /// It is outside its range.
    #[error("must be from {min} to {max}")]
    OutOfRange {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// It is after the newest event.
    #[error("is after the newest event, {newest}")]
    BeyondEvents {
        /// The newest event.
        newest: EventId,
    },
    /// It is after the newest message.
    #[error("is after the newest message, {newest}")]
    BeyondMessages {
        /// The newest message.
        newest: MessageId,
    },
    /// It has too many entries.
    #[error("has more than {max} entries")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// It names a message that suggests no task.
    #[error("names no suggestion: {id} is none")]
    NotSuggested {
        /// The message.
        id: MessageId,
    },
    /// It was fixed when the run was created.
    #[error("is fixed when the run is created")]
    Fixed,
    /// Nothing to change was given.
    #[error("must change something")]
    NoChange,
    /// It does not apply here.
    #[error("does not apply here")]
    NotApplicable,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A line of a plan is refused; the whole plan is rejected.
    InPlan {
        /// The line, from 1.
        line: u32,
        /// The field.
        field: &'static str,
        /// The reason.
        refusal: Box<Refusal>,
    },
    /// An argument is invalid.
    Invalid {
        /// Its name as on the command line.
        argument: &'static str,
        /// Why it is invalid.
        problem: ArgumentProblem,
    },
    /// The run does not exist.
    RunNotFound {
        /// Its name; `None` when the store has no runs.
        run: Option<Slug>,
    },
    /// No run was given and several are unfinished.
    RunAmbiguous {
        /// Their names.
        runs: Vec<Slug>,
    },
    /// The run's state does not allow the request.
    RunNotOpen {
        /// The run.
        run: Slug,
        /// Its state.
        status: RunStatus,
    },
    /// Resuming the run does not remove what paused it.
    ResumeUseless {
        /// The run.
        run: Slug,
        /// What paused it.
        reason: PauseReason,
        /// For a budget, the options of `orch run edit` that raise the limits that are reached.
        options: Vec<&'static str>,
    },
    /// A run with this name exists.
    RunExists {
        /// The name.
        run: Slug,
    },
    /// The task does not exist.
    TaskNotFound {
        /// The name.
        task: TaskName,
    },
    /// A task with this key exists.
    TaskExists {
        /// The name.
        task: TaskName,
    },
    /// Two tasks of a plan have one key.
    KeyTwice {
        /// Their name.
        task: TaskName,
    },
    /// The task cannot be dispatched now.
    TaskNotReady {
        /// The task.
        task: TaskName,
        /// The reason.
        reasons: Vec<NotReadyReason>,
    },
    /// The task has no open question.
    TaskNotBlocked {
        /// The task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// The task is finished.
    TaskFinished {
        /// The task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// The task is skipped, so that its dependencies must be retried instead.
    TaskSkipped {
        /// The task.
        task: TaskName,
        /// The dependencies that failed, were cancelled or were skipped.
        cause: Vec<Slug>,
        /// The failed or cancelled task that is the root cause, if it was found.
        root: Option<Slug>,
    },
    /// The task is not finished, so that it cannot be retried.
    NothingToRetry {
        /// The task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// The task is not done, so that nothing can be done again.
    NothingToRedo {
        /// The task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// The dependency would close a cycle.
    DependencyCycle {
        /// The run, when all edges but the first exist already; `None` for edges of a plan.
        run: Option<Slug>,
        /// The tasks of the cycle, each waiting for the next, the first repeated at the end.
        path: Vec<Slug>,
    },
    /// The dependency exists already.
    DependencyExists {
        /// The task that waits.
        task: TaskName,
        /// The task that it waits for.
        on: TaskName,
    },
    /// The dependency does not exist.
    DependencyNotFound {
        /// The task.
        task: TaskName,
        /// The task that it does not wait for.
        on: TaskName,
    },
    /// An attempt is live.
    AttemptLive {
        /// The task.
        task: TaskName,
        /// The attempt.
        attempt: AttemptName,
    },
    /// The run has live attempts.
    RunLive {
        /// The run.
        run: Slug,
        /// Its state.
        status: RunStatus,
        /// One of them.
        attempt: AttemptName,
    },
    /// The task has no live attempt.
    AttemptNotFound {
        /// The task.
        task: TaskName,
    },
    /// The attempt is not the last one of its task, or was not rejected.
    AttemptNotRejected {
        /// The attempt.
        attempt: AttemptName,
        /// Its state.
        state: AttemptState,
        /// The last attempt of its task, if it is another one.
        last: Option<AttemptName>,
    },
    /// The run's limit of live attempts is reached.
    CapacityReached {
        /// The run.
        run: Slug,
        /// The limit of live attempts.
        max: u32,
        /// The number of live attempts.
        active: i64,
    },
    /// The agent is unknown.
    AgentNotFound {
        /// The name.
        agent: Slug,
    },
    /// The thread does not exist.
    ThreadNotFound {
        /// The number.
        thread: ThreadId,
    },
    /// The thread is closed.
    ThreadClosed {
        /// The thread.
        thread: ThreadId,
        /// Its final state.
        status: ThreadStatus,
    },
    /// The thread is a conversation, not work.
    NotWork {
        /// The thread.
        thread: ThreadId,
    },
    /// The thread's sender has withdrawn it.
    Withdrawn {
        /// The thread.
        thread: ThreadId,
    },
    /// The thread is not claimed.
    NotClaimed {
        /// The thread.
        thread: ThreadId,
    },
    /// Another agent holds the thread.
    AlreadyClaimed {
        /// The thread.
        thread: ThreadId,
        /// The agent.
        holder: Slug,
    },
    /// The token is not the current one.
    LeaseLost {
        /// The thread.
        thread: ThreadId,
        /// The late message that keeps the text, if the token was valid once.
        kept: Option<MessageId>,
    },
    /// Another question is open.
    QuestionOpen {
        /// The thread.
        thread: ThreadId,
        /// The question.
        question: MessageId,
    },
    /// No question is open.
    NoQuestion {
        /// The thread.
        thread: ThreadId,
    },
    /// No work can be claimed.
    InboxEmpty {
        /// The queue.
        queue: Slug,
    },
    /// The request id was used with other arguments.
    RequestConflict {
        /// The request id.
        key: String,
    },
    /// A refusal of the git side.
    Tree(TreeRefusal),
    /// No request with this id was applied.
    RequestNotFound {
        /// The request id.
        key: String,
    },
}

impl From<TreeRefusal> for Refusal {
    fn from(refusal: TreeRefusal) -> Self {
        Self::Tree(refusal)
    }
}
