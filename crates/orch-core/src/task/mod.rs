//! A unit of work in a run.
//!
//! [`state`] holds the machine, [`decide`] what each command may do, [`crate::dependency`] how tasks move each other.

pub mod decide;
pub mod state;

pub use state::{TaskReadiness, TaskState};

use std::cmp::Reverse;

use crate::id::{AttemptId, CommitHash, RunId, Slug, TaskId, TaskName};
use crate::run::ReviewPolicy;
use crate::time::Time;
use serde::Serialize;

named_enum! {
    /// The status of the checks of an attempt.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ChecksStatus {
        /// No checks are defined, or none ran.
        None = "none",
        /// They have not run yet.
        Pending = "pending",
        /// All passed.
        Passed = "passed",
        /// At least one failed.
        Failed = "failed",
        /// The lead accepted or rejected the attempt by hand.
        Overridden = "overridden",
    }
}

/// A task without its long texts, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its key in the store.
    pub id: TaskId,
    /// The run it belongs to.
    pub run: RunId,
    /// Its public name.
    pub name: TaskName,
    /// A one-line summary.
    pub title: String,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Its labels, in order.
    pub labels: Vec<Slug>,
    /// Its default agent.
    pub agent: Option<Slug>,
    /// Its state.
    pub state: TaskState,
    /// The number of its unmet dependencies.
    pub unmet: u32,
    /// The number of its broken dependencies: failed, cancelled or skipped.
    pub broken: u32,
    /// The length of its longest chain of dependents, in tasks; 0 for a leaf.
    pub rank: u32,
    /// It is not dispatched before this time.
    pub not_before: Option<Time>,
    /// Whether the lead holds it back.
    pub held: bool,
    /// The live or last attempt.
    pub attempt: Option<LastAttempt>,
    /// Failed and rejected attempts since the last retry.
    pub failures: u32,
    /// Lost attempts since the last retry.
    pub losses: u32,
    /// How often its work was given back since the last retry.
    pub releases: u32,
    /// How often the tool could not do its part since the last retry.
    pub faults: u32,
    /// Its own limit of failures, which overrides that of the run.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: bool,
    /// The status of its checks.
    pub checks: ChecksStatus,
    /// When it was added.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Task {
    /// Returns its sort key among the ready tasks of several runs.
    #[must_use]
    pub fn dispatch_order(&self) -> (u8, Reverse<u32>, TaskId) {
        (self.priority, Reverse(self.rank), self.id)
    }
}

/// A task's live or last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastAttempt {
    /// Its key in the store.
    pub id: AttemptId,
    /// The number of the attempt, from 1.
    pub number: u32,
}

/// The long texts of a task, stored apart so that a state change does not rewrite them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskText {
    /// The instructions.
    pub spec: Option<String>,
    /// The acceptance criteria, in words.
    pub accept: Vec<String>,
    /// The commands that verify the work.
    pub verify: Vec<String>,
    /// Whether its attempts wait for a person's review; `None` is what the run says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewPolicy>,
    /// The merge conflict that it resolves.
    #[serde(skip)]
    pub conflict: Option<TaskConflict>,
}

/// A merge conflict that a task resolves: its worktree holds the merge of a commit into the run's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskConflict {
    /// The commit that is merged.
    pub commit: CommitHash,
    /// What is merged, by name: a branch, or an attempt.
    pub from: String,
    /// The attempt whose commit it is, if it is one's.
    pub attempt: Option<AttemptId>,
    /// Whether it is the commit of the run's base branch.
    pub is_base: bool,
}

/// A task to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewTask {
    /// Its key; generated as `t1`, `t2`, … by default.
    pub key: Option<Slug>,
    /// A one-line summary.
    pub title: String,
    /// The long texts.
    pub text: TaskText,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Its labels.
    pub labels: Vec<Slug>,
    /// Its default agent.
    pub agent: Option<Slug>,
    /// Its own limit of failures, which overrides that of the run.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: bool,
    /// Keys of its dependencies.
    pub after: Vec<Slug>,
}

/// Removes duplicate labels, keeping their order.
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

/// An edit; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskEdit {
    /// A new title.
    pub title: Option<String>,
    /// A new priority.
    pub priority: Option<u8>,
    /// New labels, replacing the old ones.
    pub labels: Option<Vec<Slug>>,
    /// A new spec.
    pub spec: Option<String>,
    /// New acceptance criteria, replacing the old ones.
    pub accept: Option<Vec<String>>,
    /// New checks, replacing the old ones.
    pub verify: Option<Vec<String>>,
    /// A new default agent; `Some(None)` removes it.
    pub agent: Option<Option<Slug>>,
    /// A new limit of failures.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: Option<bool>,
    /// Whether its attempts wait for a person's review from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewPolicy>,
}

impl TaskEdit {
    /// Returns whether only title, priority and labels change, which is allowed during a live attempt.
    #[must_use]
    pub fn is_cosmetic(&self) -> bool {
        self.spec.is_none()
            && self.accept.is_none()
            && self.verify.is_none()
            && self.agent.is_none()
            && self.max_attempts.is_none()
            && self.allow_empty.is_none()
    }

    /// Returns whether the edit changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
