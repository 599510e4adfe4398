//! The append-only event log: one event per change, written in the transaction of the change.

use crate::id::{AttemptId, AttemptName, EventId, RunId, Slug, TaskId, TaskName, ThreadId};
use crate::time::Time;
use serde::Serialize;

named_enum! {
    /// The kind of an event.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum EventKind {
        /// A thread was sent.
        Sent = "sent",
        /// A message was added to a thread.
        Noted = "noted",
        /// A thread was claimed.
        Claimed = "claimed",
        /// A question was asked.
        Question = "question",
        /// A question was answered.
        Answered = "answered",
        /// A thread was released.
        Released = "released",
        /// A holder closed its thread as done.
        ThreadDone = "thread_done",
        /// A holder closed its thread as failed.
        ThreadFailed = "thread_failed",
        /// A thread was cancelled.
        ThreadCancelled = "thread_cancelled",
        /// A write arrived after its lease was lost and was kept as evidence.
        Late = "late",
        /// A run was created.
        RunCreated = "run_created",
        /// A run's title, goal or policy was changed.
        RunEdited = "run_edited",
        /// A run was paused; `data.reason` tells why.
        RunPaused = "paused",
        /// Others added commits to the run's branch.
        BranchAdvanced = "branch_advanced",
        /// Others moved or deleted the run's branch.
        BranchMoved = "branch_moved",
        /// The run's branch was restored, or adopted where others moved it.
        RunRepaired = "run_repaired",
        /// A run was resumed.
        RunResumed = "run_resumed",
        /// A run was cancelled.
        RunCancelled = "run_cancelled",
        /// A finished run was reopened.
        RunReopened = "run_reopened",
        /// A run was removed, with its own events.
        RunRemoved = "run_removed",
        /// All tasks of a run are finished.
        Finished = "finished",
        /// A task was added.
        TaskAdded = "task_added",
        /// A task was changed.
        TaskEdited = "task_edited",
        /// A task got a dependency.
        DependencyAdded = "dependency_added",
        /// A task lost a dependency.
        DependencyRemoved = "dependency_removed",
        /// A task waits for its dependencies.
        Waiting = "waiting",
        /// A task can be dispatched.
        Ready = "ready",
        /// A dependency of the task failed, was cancelled or was skipped.
        Skipped = "skipped",
        /// An attempt was created and its thread was sent.
        Dispatched = "dispatched",
        /// An attempt was sent to an agent that is a person.
        Assigned = "assigned",
        /// An attempt's thread was claimed, or its question was answered.
        Running = "running",
        /// A worker proposed a task.
        Suggested = "suggested",
        /// An attempt waits for an answer.
        Blocked = "blocked",
        /// An attempt's thread was released and is queued again.
        Requeued = "requeued",
        /// An attempt's worker reported that it is done.
        Reported = "reported",
        /// A task is done.
        Done = "done",
        /// An attempt failed; `data.to` tells whether attempts are left.
        Failed = "failed",
        /// An attempt was lost; `data.to` tells whether attempts are left.
        Lost = "lost",
        /// An attempt was rejected; `data.to` tells whether attempts are left.
        Rejected = "rejected",
        /// An attempt's worktree was created and its thread was sent.
        Prepared = "prepared",
        /// The tool could not do its part: an operation failed repeatedly, or waits for a disk or a lock;
        /// a worktree could not be prepared, or checks could not run. It is not counted as a failure.
        Fault = "fault",
        /// A profile's provider refuses its workers; `data.until` tells until when none is started.
        RateLimited = "rate_limited",
        /// Workers of a profile may be started again.
        Available = "available",
        /// A worker has printed nothing for longer than its profile allows.
        Silent = "silent",
        /// A run, a task or an attempt has used 80 % of a limit.
        BudgetWarning = "budget_warning",
        /// Checks ran on an attempt's commit, or on the run's base.
        Checked = "checked",
        /// An attempt waits for a person's review.
        Review = "review",
        /// The lead accepted an attempt by hand.
        Accepted = "accepted",
        /// An attempt was merged into the run's branch.
        Integrated = "integrated",
        /// The run's branch was landed on another branch.
        Landed = "landed",
        /// A base branch was merged into the run's branch.
        Synced = "synced",
        /// A worktree was removed; its contents are salvaged.
        WorktreeRemoved = "worktree_removed",
        /// A worktree was restored.
        WorktreeRestored = "worktree_restored",
        /// The lead recalled an attempt, which is not counted.
        Recalled = "recalled",
        /// A task was cancelled.
        Cancelled = "cancelled",
        /// A task was retried, with its failure counters reset.
        Retried = "retried",
    }
}

impl EventKind {
    /// Returns whether `orch wait` can wait for it; the store indexes these events.
    #[must_use]
    pub fn wakes_lead(self) -> bool {
        AwaitedEvent::ALL.into_iter().any(|wake| wake.event_kinds().contains(&self))
    }
}

named_enum! {
    /// A kind of event that a lead can wait for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
    pub enum AwaitedEvent {
        /// A worker asked a question.
        Question = "question",
        /// A worker reported that it is done.
        Reported = "reported",
        /// A task is done.
        Done = "done",
        /// An attempt failed.
        Failed = "failed",
        /// An attempt was lost.
        Lost = "lost",
        /// An attempt waits for a person's review.
        Review = "review",
        /// Work was sent to a person.
        Assigned = "assigned",
        /// The tool could not do its part.
        Fault = "fault",
        /// A run was paused.
        Paused = "paused",
        /// A profile's provider refuses its workers.
        RateLimited = "rate_limited",
        /// A worker prints nothing.
        Silent = "silent",
        /// A run ended.
        Finished = "finished",
    }
}

impl AwaitedEvent {
    /// The events that `orch wait` waits for by default, as far as they need the lead.
    pub const DEFAULT: [Self; 11] = [
        Self::Question,
        Self::Review,
        Self::Paused,
        Self::RateLimited,
        Self::Reported,
        Self::Failed,
        Self::Lost,
        Self::Silent,
        Self::Fault,
        Self::Assigned,
        Self::Finished,
    ];

    /// Returns the kinds of event that satisfy it.
    #[must_use]
    pub fn event_kinds(self) -> &'static [EventKind] {
        match self {
            Self::Question => &[EventKind::Question],
            Self::Reported => &[EventKind::Reported],
            Self::Done => &[EventKind::Done],
            Self::Review => &[EventKind::Review],
            Self::Assigned => &[EventKind::Assigned],
            // A rejected attempt is a failed one to the lead.
            Self::Failed => &[EventKind::Failed, EventKind::Rejected],
            Self::Lost => &[EventKind::Lost],
            Self::Fault => &[EventKind::Fault],
            Self::Paused => &[EventKind::RunPaused],
            Self::RateLimited => &[EventKind::RateLimited],
            Self::Silent => &[EventKind::Silent],
            Self::Finished => &[EventKind::Finished, EventKind::RunCancelled],
        }
    }
}

/// A value in an event's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventDatum {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
}

impl From<&str> for EventDatum {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for EventDatum {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for EventDatum {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<i64> for EventDatum {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for EventDatum {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<bool> for EventDatum {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSubject {
    /// The run.
    pub run: Option<RunId>,
    /// The task.
    pub task: Option<TaskId>,
    /// The attempt.
    pub attempt: Option<AttemptId>,
    /// The thread.
    pub thread: Option<ThreadId>,
}

impl EventSubject {
    /// Returns a run as a subject.
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    /// Returns a task as a subject.
    #[must_use]
    pub fn of_task(run: RunId, task: TaskId) -> Self {
        Self { run: Some(run), task: Some(task), ..Self::default() }
    }
}

/// The user and the host of a process that changes the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActingProcess {
    /// The name of the user.
    pub user: Option<String>,
    /// The name of the host.
    pub host: Option<String>,
}

/// Who caused an event: an agent, in a process of a user on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventAuthor {
    /// The agent; `None` for the tool itself.
    pub agent: Option<Slug>,
    /// The process that recorded the event.
    pub process: ActingProcess,
}

/// A new event, before the store numbers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its kind.
    pub kind: EventKind,
    /// Its subject.
    pub about: EventSubject,
    /// The agent that it is about, or that caused it.
    pub agent: Option<Slug>,
    /// The agent that acted; `None` for the tool itself.
    pub by: Option<Slug>,
    /// Further data. A change of a task's state always has `to`.
    pub data: Vec<(&'static str, EventDatum)>,
}

/// An event as stored, with public names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// When it happened.
    pub at: Time,
    /// Its kind.
    pub kind: EventKind,
    /// The run.
    pub run: Option<Slug>,
    /// The task.
    pub task: Option<TaskName>,
    /// The attempt.
    pub attempt: Option<AttemptName>,
    /// The thread.
    pub thread: Option<ThreadId>,
    /// The agent that it is about, or that caused it.
    pub agent: Option<Slug>,
    /// Who caused it.
    pub by: EventAuthor,
    /// A JSON object.
    pub data: String,
}

impl Event {
    /// Returns whether the task of an unsuccessful attempt is tried again by itself.
    ///
    /// The data are a flat object that the tool has written, so that the target state can be found without a parser.
    #[must_use]
    pub fn is_retried(&self) -> bool {
        self.task.is_some() && self.data.contains(r#""to":"ready""#)
    }
}
