//! Tasks: a summary in lists and responses to changes, complete in `task show` and with `--full`.

use orch_core::id::Slug;
use orch_core::run::{ResourceUsage, ReviewPolicy};
use orch_core::task as core;
use orch_core::task::{ChecksStatus, TaskState, TaskText};
use serde::{Deserialize, Serialize};

use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::usage::{TokensView, UsdAmount};
use crate::word::WireWord;

/// A summary of a task, for lists and responses to changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskSummary {
    /// Its name, `RUN/KEY`.
    pub id: String,
    /// Its key in the run.
    pub key: String,
    /// A one-line summary.
    pub title: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Keys of its unfinished dependencies.
    pub waits_for: Vec<String>,
    /// The live or last attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The agent of the live attempt, else the default agent.
    pub agent: Option<String>,
    /// The status of the checks of the live or last attempt.
    pub checks: WireWord<ChecksStatus>,
    /// When it last changed.
    pub updated_at: UtcTimestamp,
}

impl TaskSummary {
    /// Converts a task with its unfinished dependencies and the agent of its live attempt.
    #[must_use]
    pub fn from_task(task: &core::Task, waits_for: &[Slug], worker: Option<&Slug>) -> Self {
        Self {
            id: task.name.to_string(),
            key: task.name.key.to_string(),
            title: task.title.clone(),
            state: task.state.into(),
            priority: task.priority,
            waits_for: slug_texts(waits_for),
            attempt: last_attempt_name(task),
            agent: worker.or(task.agent.as_ref()).map(Slug::to_string),
            checks: task.checks.into(),
            updated_at: task.updated_at.into(),
        }
    }
}

/// A task with all of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskView {
    /// Its name, `RUN/KEY`.
    pub id: String,
    /// The run.
    pub run: String,
    /// Its key in the run.
    pub key: String,
    /// A one-line summary.
    pub title: String,
    /// The instructions.
    pub spec: Option<String>,
    /// The acceptance criteria, in words.
    pub accept: Vec<String>,
    /// The commands that verify the work.
    pub verify: Vec<String>,
    /// Its labels.
    pub labels: Vec<String>,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// The agent of the live attempt, else the default agent.
    pub agent: Option<String>,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// Keys of its unfinished dependencies.
    pub waits_for: Vec<String>,
    /// It is not dispatched before this time.
    pub not_before: Option<UtcTimestamp>,
    /// The live or last attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The status of the checks of the live or last attempt.
    pub checks: WireWord<ChecksStatus>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: bool,
    /// Whether its attempts wait for a person's review; absent where the run says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<WireWord<ReviewPolicy>>,
    /// The limit of failed attempts: its own, else the run's.
    pub max_attempts: u32,
    /// The known cost of its attempts in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens of its attempts; null where none are known.
    pub tokens: Option<TokensView>,
    /// When it was added.
    pub created_at: UtcTimestamp,
    /// When it last changed.
    pub updated_at: UtcTimestamp,
    /// Failed attempts since the last retry.
    pub failures: u32,
    /// Lost attempts since the last retry.
    pub losses: u32,
    /// How often its work was given back since the last retry.
    pub releases: u32,
    /// How often the tool could not do its part since the last retry.
    pub faults: u32,
    /// The length of its longest chain of dependents, in tasks.
    pub rank: u32,
}

/// Further facts that a complete task shows.
#[derive(Clone, Copy, Debug)]
pub struct TaskDetails<'a> {
    /// Its long texts.
    pub text: &'a TaskText,
    /// Keys of its unfinished dependencies.
    pub waits_for: &'a [Slug],
    /// The agent of its live attempt.
    pub worker: Option<&'a Slug>,
    /// The run's limit of failures.
    pub run_max_attempts: u32,
    /// What its attempts have used.
    pub spent: ResourceUsage,
}

impl TaskView {
    /// Converts a task with its details.
    #[must_use]
    pub fn from_task(task: &core::Task, around: TaskDetails<'_>) -> Self {
        Self {
            id: task.name.to_string(),
            run: task.name.run.to_string(),
            key: task.name.key.to_string(),
            title: task.title.clone(),
            spec: around.text.spec.as_deref().and_then(none_if_empty),
            accept: around.text.accept.clone(),
            verify: around.text.verify.clone(),
            labels: slug_texts(&task.labels),
            priority: task.priority,
            agent: around.worker.or(task.agent.as_ref()).map(Slug::to_string),
            state: task.state.into(),
            waits_for: slug_texts(around.waits_for),
            not_before: task.not_before.map(UtcTimestamp::from),
            attempt: last_attempt_name(task),
            checks: task.checks.into(),
            allow_empty: task.allow_empty,
            review: around.text.review.map(WireWord),
            max_attempts: task.max_attempts.unwrap_or(around.run_max_attempts),
            cost_usd: around.spent.cost_micros.map(UsdAmount),
            tokens: TokensView::of_usage(around.spent),
            created_at: task.created_at.into(),
            updated_at: task.updated_at.into(),
            failures: task.failures,
            losses: task.losses,
            releases: task.releases,
            faults: task.faults,
            rank: task.rank,
        }
    }
}

/// A task, complete or as a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum TaskOrSummary {
    /// The complete form, with `--full`.
    Full(Box<TaskView>),
    /// Short.
    Short(TaskSummary),
}

/// Returns the keys of a list as texts.
#[must_use]
pub fn slug_texts(slugs: &[Slug]) -> Vec<String> {
    slugs.iter().map(Slug::to_string).collect()
}

fn last_attempt_name(task: &core::Task) -> Option<String> {
    core::decide::attempt_name(task).map(|name| name.to_string())
}
