//! Runs: whole, as a line of a list, and as the head of a status.

use orch_core::run as core;
use orch_core::run::{BaselineStatus, DoneWhen, PauseReason, RunOutcome, RunState, RunStatus, TaskCounts};
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// One goal with its policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunView {
    /// Its name.
    pub id: String,
    /// One line that says what it is.
    pub title: String,
    /// What it is for.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// How it went, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Why it is paused, while it is.
    pub pause: Option<RunPauseView>,
    /// When a task counts as done.
    pub done_when: WireWord<DoneWhen>,
    /// The commit it began from; null for a run without one.
    pub base: Option<RunBaseView>,
    /// Its branch; null for a run without one.
    pub branch: Option<String>,
    /// How many attempts may be under way at once; null is no limit.
    pub max_active: Option<u32>,
    /// How many failed attempts a task may have.
    pub max_attempts: u32,
    /// The delay before the second try; it doubles per failure.
    pub retry_delay_ms: i64,
    /// The lease of its threads.
    pub lease_ms: i64,
    /// After how long a question's default becomes its answer.
    pub answer_after_ms: Option<i64>,
    /// Commands that judge every attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<String>,
    /// What they say of the base itself; null for a run without one.
    pub baseline: Option<WireWord<BaselineStatus>>,
    /// The command that prepares a new worktree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Patterns of ignored files that a new worktree gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<String>,
    /// Patterns of files that no attempt may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    /// How long one check, or the setup, may take.
    pub check_limit_ms: i64,
    /// How much wall time it may take; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wall_ms: Option<i64>,
    /// How much it may cost, in US dollars; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<f64>,
    /// How many tokens it may use; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<i64>,
    /// How many attempts it may make, of all tasks together; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_all_attempts: Option<u32>,
    /// How much wall time the attempts at one task may take; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_wall_ms: Option<i64>,
    /// How much the attempts at one task may cost, in US dollars; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_cost: Option<f64>,
    /// How many tokens the attempts at one task may use; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_tokens: Option<i64>,
    /// What its attempts have used; only where it is bounded or known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<ResourceUsageView>,
    /// When it was made.
    pub created_at: UtcTimestamp,
    /// When it, or one of its tasks, last changed.
    pub updated_at: UtcTimestamp,
}

/// The commit a run began from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunBaseView {
    /// The commit.
    pub commit: String,
    /// The branch it was on.
    pub branch: Option<String>,
}

/// What the attempts of a run have used, as far as their profiles tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResourceUsageView {
    /// How many there were.
    pub attempts: i64,
    /// Their tokens.
    pub tokens: i64,
    /// Their cost in US dollars.
    pub cost: f64,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunPauseView {
    /// Why, for programs.
    pub reason: WireWord<PauseReason>,
    /// Why, in words.
    pub message: Option<String>,
    /// Since when.
    pub at: UtcTimestamp,
    /// Until when, where it ends by itself.
    pub until: Option<UtcTimestamp>,
}

impl RunView {
    /// The run.
    #[must_use]
    pub fn from_run(run: &core::Run) -> Self {
        let policy = &run.policy;
        Self {
            id: run.name.to_string(),
            title: run.title.clone(),
            goal: run.goal.as_deref().and_then(none_if_empty),
            state: run.state.status().into(),
            outcome: run_outcome(run),
            pause: pause_view(run),
            done_when: policy.done_when.into(),
            base: run.ground.as_ref().map(|ground| RunBaseView {
                commit: ground.base.to_string(),
                branch: ground.base_branch.clone(),
            }),
            branch: run.ground.as_ref().map(|ground| ground.branch.clone()),
            max_active: policy.max_active,
            max_attempts: policy.max_attempts,
            retry_delay_ms: policy.retry_delay.0,
            lease_ms: policy.lease.span().0,
            answer_after_ms: policy.answer_after.map(|span| span.0),
            verify: run.rules.verify.clone(),
            baseline: run.ground.as_ref().map(|ground| ground.baseline.into()),
            setup: run.rules.setup.clone(),
            copy: run.rules.copy.clone(),
            protect: run.rules.protect.clone(),
            check_limit_ms: run.rules.check_limit.0,
            max_wall_ms: run.budget.max_wall.map(|span| span.0),
            max_cost: run.budget.max_cost_micros.map(micros_to_dollars),
            max_tokens: run.budget.max_tokens,
            max_all_attempts: run.budget.max_attempts_all,
            task_max_wall_ms: run.budget.task_wall.map(|span| span.0),
            task_max_cost: run.budget.task_cost_micros.map(micros_to_dollars),
            task_max_tokens: run.budget.task_tokens,
            spent: usage_view(run),
            created_at: run.created_at.into(),
            updated_at: run.updated_at.into(),
        }
    }
}

/// What was used, where there is something to know or to bound.
fn usage_view(run: &core::Run) -> Option<ResourceUsageView> {
    let core::ResourceUsage { cost_micros, tokens, attempts } = run.spent;
    let is_told = run.budget != core::Budget::default() || cost_micros > 0 || tokens > 0;
    is_told.then(|| ResourceUsageView { attempts, tokens, cost: micros_to_dollars(cost_micros) })
}

/// Millionths of a dollar as dollars.
#[expect(clippy::cast_precision_loss, reason = "budgets are far below what a float holds exactly")]
fn micros_to_dollars(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// A run as a line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSummary {
    /// Its name.
    pub id: String,
    /// One line that says what it is.
    pub title: String,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// How it went, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// How far it is.
    pub progress: RunProgress,
    /// When it, or one of its tasks, last changed.
    pub updated_at: UtcTimestamp,
}

impl RunSummary {
    /// The run.
    #[must_use]
    pub fn from_run(run: &core::Run) -> Self {
        Self {
            id: run.name.to_string(),
            title: run.title.clone(),
            state: run.state.status().into(),
            outcome: run_outcome(run),
            progress: RunProgress::from_counts(&run.counts),
            updated_at: run.updated_at.into(),
        }
    }
}

/// A run as the head of its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunHeader {
    /// Its name.
    pub id: String,
    /// One line that says what it is.
    pub title: String,
    /// What it is for.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// How it went, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Why it is paused, while it is.
    pub pause: Option<RunPauseView>,
    /// When a task counts as done.
    pub done_when: WireWord<DoneWhen>,
    /// The branch that it began from, where it has a branch of its own and began on one.
    pub base_branch: Option<String>,
    /// How many attempts may be under way at once; null is no limit.
    pub max_active: Option<u32>,
    /// When it, or one of its tasks, last changed.
    pub updated_at: UtcTimestamp,
}

impl RunHeader {
    /// The run.
    #[must_use]
    pub fn from_run(run: &core::Run) -> Self {
        Self {
            id: run.name.to_string(),
            title: run.title.clone(),
            goal: run.goal.as_deref().and_then(none_if_empty),
            state: run.state.status().into(),
            outcome: run_outcome(run),
            pause: pause_view(run),
            done_when: run.policy.done_when.into(),
            base_branch: run.ground.as_ref().and_then(|ground| ground.base_branch.clone()),
            max_active: run.policy.max_active,
            updated_at: run.updated_at.into(),
        }
    }
}

/// How many tasks of a run are done, of those that were not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunProgress {
    /// Tasks that are done.
    pub done: i64,
    /// Tasks that were not cancelled.
    pub total: i64,
}

impl RunProgress {
    /// The progress that the counts tell.
    #[must_use]
    pub fn from_counts(counts: &TaskCounts) -> Self {
        Self {
            done: counts.in_state(TaskState::Done),
            total: counts.total() - counts.in_state(TaskState::Cancelled),
        }
    }
}

/// How many tasks a run has in each state; every state is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct TaskCountsView(pub Map<String, serde_json::Value>);

impl TaskCountsView {
    /// The counts.
    #[must_use]
    pub fn from_counts(counts: &TaskCounts) -> Self {
        let entry = |state: TaskState| (state.name().to_owned(), counts.in_state(state).into());
        Self(TaskState::ALL.into_iter().map(entry).collect())
    }

    /// How many tasks are in a state.
    #[must_use]
    pub fn count(&self, state: TaskState) -> i64 {
        self.0.get(state.name()).and_then(serde_json::Value::as_i64).unwrap_or(0)
    }
}

fn run_outcome(run: &core::Run) -> Option<WireWord<RunOutcome>> {
    match &run.state {
        RunState::Finished(outcome) => Some(WireWord(*outcome)),
        RunState::Open | RunState::Paused(_) | RunState::Cancelled => None,
    }
}

fn pause_view(run: &core::Run) -> Option<RunPauseView> {
    match &run.state {
        RunState::Paused(pause) => Some(RunPauseView {
            reason: pause.reason.into(),
            message: pause.message.clone(),
            at: pause.at.into(),
            until: pause.until.map(UtcTimestamp::from),
        }),
        RunState::Open | RunState::Finished(_) | RunState::Cancelled => None,
    }
}
