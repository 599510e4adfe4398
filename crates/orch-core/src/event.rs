//! The append-only history: one line per change, written in the change's own transaction.

use crate::id::{AttemptId, AttemptName, EventId, RunId, Slug, TaskId, TaskName, ThreadId};
use crate::time::Time;
use serde::Serialize;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an event tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The public name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Reads the public name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.name() == name)
            }
        }
    };
}

kinds! {
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
    /// A thread was given back.
    Released = "released",
    /// A holder closed its thread as done.
    ThreadDone = "thread_done",
    /// A holder closed its thread as failed.
    ThreadFailed = "thread_failed",
    /// A thread was ended from outside.
    ThreadCancelled = "thread_cancelled",
    /// A write came after its lease was lost and was kept as evidence.
    Late = "late",
    /// A run was made.
    RunCreated = "run_created",
    /// A run's title, goal or policy was changed.
    RunEdited = "run_edited",
    /// A run was paused.
    RunPaused = "run_paused",
    /// A run was resumed.
    RunResumed = "run_resumed",
    /// A run was cancelled.
    RunCancelled = "run_cancelled",
    /// A finished run got work again.
    RunReopened = "run_reopened",
    /// A run was removed; it is named, and its own history is gone.
    RunRemoved = "run_removed",
    /// A run has no unfinished task any more.
    Finished = "finished",
    /// A task was added.
    TaskAdded = "task_added",
    /// A task was changed.
    TaskEdited = "task_edited",
    /// A task got a dependency.
    DependencyAdded = "dependency_added",
    /// A task lost a dependency.
    DependencyRemoved = "dependency_removed",
    /// A task has to wait (again).
    Waiting = "waiting",
    /// A task can be dispatched.
    Ready = "ready",
    /// A dependency of the task failed, was cancelled or was skipped.
    Skipped = "skipped",
    /// An attempt was made and sent.
    Dispatched = "dispatched",
    /// An attempt's work was claimed, or goes on after an answer.
    Running = "running",
    /// An attempt waits for an answer.
    Blocked = "blocked",
    /// An attempt was given back and waits to be claimed again.
    Requeued = "requeued",
    /// An attempt's worker said that it is done.
    Reported = "reported",
    /// A task is done.
    Done = "done",
    /// An attempt failed; `data.to` says whether the task has tries left.
    Failed = "failed",
    /// An attempt was lost; `data.to` says whether the task has tries left.
    Lost = "lost",
    /// An attempt was judged and refused; `data.to` says whether the task has tries left.
    Rejected = "rejected",
    /// An attempt's worktree is there and its work was sent.
    Prepared = "prepared",
    /// An attempt's worktree could not be prepared, or its checks could not run; no try is used up.
    Fault = "fault",
    /// A run, or one of its tasks, has used most of what it may use.
    Budget = "budget",
    /// Checks ran on what an attempt reported, or on the run's base.
    Checked = "checked",
    /// The lead accepted an attempt by hand.
    Accepted = "accepted",
    /// An attempt was merged into the run's branch.
    Integrated = "integrated",
    /// The run's branch was brought onto another one.
    Landed = "landed",
    /// A worktree was taken away; what it held is kept.
    WorktreeRemoved = "worktree_removed",
    /// A worktree was brought back.
    WorktreeRestored = "worktree_restored",
    /// The lead ended an attempt without counting it.
    Recalled = "recalled",
    /// A task was cancelled.
    Cancelled = "cancelled",
    /// A task got fresh tries.
    Retried = "retried",
}

impl EventKind {
    /// Whether a waiting lead may ask for it; the store keeps an index of these.
    #[must_use]
    pub fn wakes_lead(self) -> bool {
        AwaitedEvent::ALL.into_iter().any(|wake| wake.event_kinds().contains(&self))
    }
}

/// What a lead can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum AwaitedEvent {
    /// A worker asks.
    Question,
    /// A worker said that it is done.
    Reported,
    /// A task is done.
    Done,
    /// An attempt failed.
    Failed,
    /// An attempt was lost.
    Lost,
    /// A run ended.
    Finished,
}

impl AwaitedEvent {
    /// Everything that can be waited for.
    pub const ALL: [Self; 6] =
        [Self::Question, Self::Reported, Self::Done, Self::Failed, Self::Lost, Self::Finished];

    /// What a lead waits for when it names nothing.
    pub const DEFAULT: [Self; 4] = [Self::Question, Self::Failed, Self::Lost, Self::Finished];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Reported => "reported",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Finished => "finished",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wake| wake.name() == name)
    }

    /// The kinds of event that satisfy it.
    #[must_use]
    pub fn event_kinds(self) -> &'static [EventKind] {
        match self {
            Self::Question => &[EventKind::Question],
            Self::Reported => &[EventKind::Reported],
            Self::Done => &[EventKind::Done],
            // Work that was refused is a failed attempt to whoever plans what comes next.
            Self::Failed => &[EventKind::Failed, EventKind::Rejected],
            Self::Lost => &[EventKind::Lost],
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

/// What an event is about, where the store knows.
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
    /// A whole run.
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    /// A task.
    #[must_use]
    pub fn of_task(run: RunId, task: TaskId) -> Self {
        Self { run: Some(run), task: Some(task), ..Self::default() }
    }
}

/// A new event, before the store numbers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What it tells.
    pub kind: EventKind,
    /// What it is about.
    pub about: EventSubject,
    /// Who caused it.
    pub agent: Option<Slug>,
    /// What else there is to say. A change of a task's state always has `to`.
    pub data: Vec<(&'static str, EventDatum)>,
}

/// An event as the store holds it, with public names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// When it happened.
    pub at: Time,
    /// What it tells.
    pub kind: EventKind,
    /// The run.
    pub run: Option<Slug>,
    /// The task.
    pub task: Option<TaskName>,
    /// The attempt.
    pub attempt: Option<AttemptName>,
    /// The thread.
    pub thread: Option<ThreadId>,
    /// Who caused it.
    pub agent: Option<Slug>,
    /// A JSON object.
    pub data: String,
}
