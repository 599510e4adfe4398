//! A unit of work in a run.
//!
//! [`state`] holds the machine, [`decide`] what each command may do, [`crate::dependency`] how tasks move each other.

pub mod decide;
pub mod state;

pub use state::{TaskReadiness, TaskState};

use crate::id::{AttemptId, RunId, Slug, TaskId, TaskName};
use crate::time::Time;
use serde::Serialize;

/// What the tool's own checks said of the task's live or last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksStatus {
    /// There is nothing to check, or nothing was checked.
    None,
    /// They have yet to run.
    Pending,
    /// All passed.
    Passed,
    /// At least one failed.
    Failed,
    /// Somebody accepted or rejected by hand.
    Overridden,
}

impl ChecksStatus {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::None, Self::Pending, Self::Passed, Self::Failed, Self::Overridden];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Overridden => "overridden",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|checks| checks.name() == name)
    }
}

/// The short facts of a task, as the store holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its key in the store.
    pub id: TaskId,
    /// The run it belongs to.
    pub run: RunId,
    /// Its public name.
    pub name: TaskName,
    /// One line that says what it is.
    pub title: String,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Names that it can be found by, in order.
    pub labels: Vec<Slug>,
    /// Who it is dispatched to when nobody else is named.
    pub agent: Option<Slug>,
    /// Its state.
    pub state: TaskState,
    /// How many of its dependencies are not done.
    pub unmet: u32,
    /// How many of its dependencies are failed, cancelled or skipped.
    pub broken: u32,
    /// How many tasks the longest chain of dependents behind it has; 0 for a leaf.
    pub rank: u32,
    /// Before this it is left out of the ready list.
    pub not_before: Option<Time>,
    /// The live or last attempt.
    pub attempt: Option<LastAttempt>,
    /// Failed and rejected attempts since the last retry.
    pub failures: u32,
    /// Lost and released attempts since the last retry.
    pub losses: u32,
    /// How many failures it may have, where it differs from the run's.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: bool,
    /// What the checks said.
    pub checks: ChecksStatus,
    /// When it was added.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// A task's live or last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastAttempt {
    /// Its key in the store.
    pub id: AttemptId,
    /// Which try, from 1.
    pub number: u32,
}

/// The long texts of a task, kept apart so that moving a task never rewrites them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskText {
    /// What to do.
    pub spec: Option<String>,
    /// What must hold for the work to be good, in words.
    pub accept: Vec<String>,
    /// Commands that judge the work.
    pub verify: Vec<String>,
}

/// What a new task is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewTask {
    /// Its key; made as `t1`, `t2`, … when not given.
    pub key: Option<Slug>,
    /// One line that says what it is.
    pub title: String,
    /// The long texts.
    pub text: TaskText,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Names that it can be found by.
    pub labels: Vec<Slug>,
    /// Who it is dispatched to when nobody else is named.
    pub agent: Option<Slug>,
    /// How many failures it may have, where it differs from the run's.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: bool,
    /// Keys of the tasks it waits for.
    pub after: Vec<Slug>,
}

/// The labels in their order, each once.
#[must_use]
pub fn dedupe_labels(labels: &[Slug]) -> Vec<Slug> {
    let mut distinct: Vec<Slug> = Vec::with_capacity(labels.len());
    for label in labels {
        if !distinct.contains(label) {
            distinct.push(label.clone());
        }
    }
    distinct
}

/// What an edit changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskEdit {
    /// A new title.
    pub title: Option<String>,
    /// A new priority.
    pub priority: Option<u8>,
    /// New labels in place of the old ones.
    pub labels: Option<Vec<Slug>>,
    /// A new spec.
    pub spec: Option<String>,
    /// A new accept list in place of the old one.
    pub accept: Option<Vec<String>>,
    /// New checks in place of the old ones.
    pub verify: Option<Vec<String>>,
    /// A new agent; `Some(None)` takes it away.
    pub agent: Option<Option<Slug>>,
    /// A new limit of failures.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: Option<bool>,
}

impl TaskEdit {
    /// Whether only title, priority and labels change, which a live attempt does not mind.
    #[must_use]
    pub fn is_cosmetic(&self) -> bool {
        self.spec.is_none()
            && self.accept.is_none()
            && self.verify.is_none()
            && self.agent.is_none()
            && self.max_attempts.is_none()
            && self.allow_empty.is_none()
    }

    /// Whether it changes nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
