//! The domain says no: data that the doors turn into a code, a sentence and a hint.

pub mod tree;

pub use tree::{FailedCheck, TreeProblem, TreeRefusal};

use crate::id::{AttemptName, EventId, MessageId, Slug, TaskName, ThreadId};
use crate::run::RunStatus;
use crate::task::TaskState;
use crate::thread::ThreadStatus;
use crate::time::Time;

/// Why a task cannot be dispatched, or does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReadyReason {
    /// Dependencies are not done.
    WaitingDependency {
        /// Their keys.
        on: Vec<Slug>,
    },
    /// An attempt is under way.
    Live {
        /// Which.
        attempt: AttemptName,
    },
    /// It failed a moment ago.
    Backoff {
        /// When it may be tried again.
        until: Time,
    },
    /// The run is paused.
    RunPaused {
        /// Which.
        run: Slug,
    },
    /// The run has no free place.
    Capacity {
        /// How many attempts may be under way at once.
        max: u32,
    },
    /// Its worker waits for an answer.
    Question {
        /// What was asked.
        text: String,
    },
    /// It was reported, and its checks have yet to run.
    Checks {
        /// Which attempt.
        attempt: AttemptName,
    },
    /// It was reported and found good, and is yet to be merged.
    Merge {
        /// Which attempt.
        attempt: AttemptName,
    },
    /// What it depends on does not merge, so there is no commit to begin from.
    MergeConflict {
        /// The files.
        files: Vec<String>,
    },
    /// A limit of time, cost or tokens is reached.
    Budget {
        /// Which, in words.
        what: String,
    },
    /// Nobody is named to do it.
    NoAgent,
    /// Nobody claimed the work for a while.
    Unclaimed {
        /// Whom it was sent to.
        agent: Slug,
    },
    /// Dependencies failed, were cancelled or were skipped.
    DependencyFailed {
        /// Their keys.
        on: Vec<Slug>,
        /// The failed or cancelled task that it comes from, which a retry would repair; unknown far away.
        root: Option<Slug>,
    },
    /// It is done or failed.
    Finished {
        /// Which of the two.
        state: TaskState,
    },
    /// It was cancelled.
    Cancelled,
    /// The run was cancelled, so nothing can move it.
    RunCancelled {
        /// Which.
        run: Slug,
    },
}

/// What is wrong with an argument.
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
    /// It holds a NUL character.
    #[error("holds a NUL character")]
    Nul,
    /// It is outside its range.
    #[error("must be from {min} to {max}")]
    OutOfRange {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// Nothing has happened that late.
    #[error("lies beyond the newest event, {newest}")]
    BeyondEvents {
        /// The newest event.
        newest: EventId,
    },
    /// Nothing was written that late.
    #[error("lies beyond the newest message, {newest}")]
    BeyondMessages {
        /// The newest message.
        newest: MessageId,
    },
    /// There are too many of them.
    #[error("has more than {max} entries")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// It was settled when the run was made.
    #[error("was settled when the run was made, and stays as it is")]
    Fixed,
    /// Nothing was given to change.
    #[error("must change something")]
    NoChange,
    /// It does not go with what it is used on.
    #[error("does not apply here")]
    NotApplicable,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// One line of a plan is refused; nothing of the plan is kept.
    InPlan {
        /// The line, from 1.
        line: u32,
        /// The field.
        field: &'static str,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// An argument is wrong.
    Invalid {
        /// Its name as on the command line.
        argument: &'static str,
        /// What is wrong with it.
        problem: ArgumentProblem,
    },
    /// No run of this name.
    RunNotFound {
        /// The name; `None` when the store has no run at all.
        run: Option<Slug>,
    },
    /// Several runs are unfinished and none was named.
    RunAmbiguous {
        /// Their names.
        runs: Vec<Slug>,
    },
    /// The run's state does not allow it.
    RunNotOpen {
        /// Which run.
        run: Slug,
        /// Its state.
        status: RunStatus,
    },
    /// The name is taken.
    RunExists {
        /// The name.
        run: Slug,
    },
    /// No task of this name.
    TaskNotFound {
        /// The name.
        task: TaskName,
    },
    /// The key is taken.
    TaskExists {
        /// The name.
        task: TaskName,
    },
    /// A plan gives the same key to two tasks.
    KeyTwice {
        /// The name that both would have.
        task: TaskName,
    },
    /// It cannot be dispatched now.
    TaskNotReady {
        /// Which task.
        task: TaskName,
        /// Why.
        reasons: Vec<NotReadyReason>,
    },
    /// Its worker did not ask anything.
    TaskNotBlocked {
        /// Which task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// It is finished.
    TaskFinished {
        /// Which task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// A skipped task follows its dependencies and cannot be retried itself.
    TaskSkipped {
        /// Which task.
        task: TaskName,
        /// The dependencies that ended badly.
        cause: Vec<Slug>,
        /// The failed or cancelled task that it comes from; unknown far away.
        root: Option<Slug>,
    },
    /// It is not finished, so there is nothing to retry.
    NothingToRetry {
        /// Which task.
        task: TaskName,
        /// Its state.
        state: TaskState,
    },
    /// The edge would close a cycle.
    DependencyCycle {
        /// The run, where all its edges but the first are there already; nothing where they are a plan's own.
        run: Option<Slug>,
        /// The tasks of the cycle, each waiting for the next, the first repeated at the end.
        path: Vec<Slug>,
    },
    /// The edge is there already.
    DependencyExists {
        /// The task that waits.
        task: TaskName,
        /// The task it waits for.
        on: TaskName,
    },
    /// The edge is not there.
    DependencyNotFound {
        /// The task.
        task: TaskName,
        /// The task it does not wait for.
        on: TaskName,
    },
    /// An attempt is under way.
    AttemptLive {
        /// Which task.
        task: TaskName,
        /// Which attempt.
        attempt: AttemptName,
    },
    /// Somebody works on tasks of the run.
    RunLive {
        /// Which run.
        run: Slug,
        /// Its state.
        status: RunStatus,
        /// One of the attempts.
        attempt: AttemptName,
    },
    /// No attempt is under way.
    AttemptNotFound {
        /// Which task.
        task: TaskName,
    },
    /// The run has no free place.
    CapacityReached {
        /// Which run.
        run: Slug,
        /// How many attempts may be under way at once.
        max: u32,
        /// How many are.
        active: i64,
    },
    /// No agent of this name was ever seen or written to.
    AgentNotFound {
        /// The name.
        agent: Slug,
    },
    /// No thread of this number.
    ThreadNotFound {
        /// The number.
        thread: ThreadId,
    },
    /// The thread is closed.
    ThreadClosed {
        /// Which thread.
        thread: ThreadId,
        /// How it ended.
        status: ThreadStatus,
    },
    /// The thread is a conversation, not work.
    NotWork {
        /// Which thread.
        thread: ThreadId,
    },
    /// The thread's sender has withdrawn it for now.
    Withdrawn {
        /// Which thread.
        thread: ThreadId,
    },
    /// Nobody holds the thread.
    NotClaimed {
        /// Which thread.
        thread: ThreadId,
    },
    /// Somebody holds the thread.
    AlreadyClaimed {
        /// Which thread.
        thread: ThreadId,
        /// Who.
        holder: Slug,
    },
    /// The token is not the live one.
    LeaseLost {
        /// Which thread.
        thread: ThreadId,
        /// The late message that the text was kept as, if the token was once valid.
        kept: Option<MessageId>,
    },
    /// Another question is open.
    QuestionOpen {
        /// Which thread.
        thread: ThreadId,
        /// Which question.
        question: MessageId,
    },
    /// No question is open.
    NoQuestion {
        /// Which thread.
        thread: ThreadId,
    },
    /// There is nothing to claim.
    InboxEmpty {
        /// Whose inbox.
        queue: Slug,
    },
    /// The same request id was used with other arguments.
    RequestConflict {
        /// The request id.
        key: String,
    },
    /// Git, worktrees, checks or merges are in the way.
    Tree(TreeRefusal),
    /// No request of this id was applied.
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
