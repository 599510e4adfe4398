//! Runs: complete, as a line of a list, and as the header of a status.

use orch_core::check::{CheckIdentity, FlakyVerdict};
use orch_core::id::Slug;
use orch_core::run as core;
use orch_core::run::{
    BaselineStatus, BranchMovePolicy, DoneWhen, LandingManner, PauseReason, ReviewPolicy, RunOutcome,
    RunState, RunStatus, TaskCounts,
};
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::tree_error;
use crate::usage::{TokensView, UsdAmount};
use crate::word::WireWord;

/// A run with its policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunView {
    /// Its name.
    pub id: String,
    /// A one-line summary.
    pub title: String,
    /// Its goal.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// Its outcome, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Its pause, while it is paused.
    pub pause: Option<RunPauseView>,
    /// When a task is done.
    pub done_when: WireWord<DoneWhen>,
    /// Its base commit; null for a run without worktrees.
    pub base: Option<RunBaseView>,
    /// Its branch; null for a run without worktrees.
    pub branch: Option<String>,
    /// The folder that its workers share; null for a run with worktrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The limit of live attempts; null is no limit.
    pub max_active: Option<u32>,
    /// The limit of failed attempts of a task.
    pub max_attempts: u32,
    /// The delay before the second attempt; it doubles per failure.
    pub retry_delay_ms: i64,
    /// The lease length of its threads.
    pub lease_ms: i64,
    /// The delay after which a question's default becomes its answer.
    pub answer_after_ms: Option<i64>,
    /// The commands that verify every attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<String>,
    /// The status of the baseline checks; null for a run without worktrees.
    pub baseline: Option<WireWord<BaselineStatus>>,
    /// The setup command of a new worktree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Patterns of ignored files that are copied into a new worktree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<String>,
    /// Patterns of files that no attempt may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    /// The time limit of one check, or of the setup.
    pub check_limit_ms: i64,
    /// Whether results of checks are kept by the tree or by the commit that they ran on.
    pub check_by: WireWord<CheckIdentity>,
    /// How often a failed check is run again before its failure counts.
    pub check_retries: u32,
    /// What a check counts as that both failed and passed.
    pub flaky: WireWord<FlakyVerdict>,
    /// Patterns of untracked files that stay in a check tree from one check to the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_cache: Vec<String>,
    /// Variables that checks and setups get besides those that workers get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_env: Vec<String>,
    /// Patterns of the files on which the output of the setup depends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup_key: Vec<String>,
    /// Patterns of the tracked files that the setup may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup_may_change: Vec<String>,
    /// What happens when others advance its branch.
    pub on_branch_move: WireWord<BranchMovePolicy>,
    /// Whether commits that orch makes carry trailers that name the attempt.
    pub trailers: bool,
    /// Whether the user's hooks run for merges that orch makes.
    pub run_hooks: bool,
    /// How many rejected attempts of a task are continued in their sessions and worktrees.
    pub rework: u32,
    /// Which attempts wait for a person's review after their checks.
    pub review: WireWord<ReviewPolicy>,
    /// The limit of wall time; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wall_ms: Option<i64>,
    /// The limit of cost in US dollars; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<UsdAmount>,
    /// The limit of tokens; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<i64>,
    /// The limit of attempts of all tasks; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_all_attempts: Option<u32>,
    /// The limit of wall time of one task; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_wall_ms: Option<i64>,
    /// The limit of cost of one task in US dollars; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_cost: Option<UsdAmount>,
    /// The limit of tokens of one task; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_tokens: Option<i64>,
    /// The limit of wall time of one attempt; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_max_wall_ms: Option<i64>,
    /// The limit of cost of one attempt in US dollars; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_max_cost: Option<UsdAmount>,
    /// The limit of tokens of one attempt; null is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_max_tokens: Option<i64>,
    /// What is set aside for an attempt when it is dispatched, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_reserve: Option<UsdAmount>,
    /// Its last landing; absent if it has not landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed: Option<RunLandingView>,
    /// The resources that its attempts have used, if limited or known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<ResourceUsageView>,
    /// The known cost of its attempts in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens of its attempts; null where none are known.
    pub tokens: Option<TokensView>,
    /// When it was created.
    pub created_at: UtcTimestamp,
    /// When it or one of its tasks last changed.
    pub updated_at: UtcTimestamp,
}

/// The base commit of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunBaseView {
    /// The commit.
    pub commit: String,
    /// The branch that was checked out at the base commit.
    pub branch: Option<String>,
}

/// The resources that the attempts of a run have used, as far as their profiles report them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResourceUsageView {
    /// The number of attempts.
    pub attempts: i64,
    /// The number of their tokens; null where none are known.
    pub tokens: Option<i64>,
    /// Their cost in US dollars; null where none is known.
    pub cost: Option<UsdAmount>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunPauseView {
    /// Its reason.
    pub reason: WireWord<PauseReason>,
    /// The reason in words.
    pub message: Option<String>,
    /// When it began.
    pub at: UtcTimestamp,
    /// When it ends automatically, if it does.
    pub until: Option<UtcTimestamp>,
    /// The commands that end it; words in capitals are placeholders.
    pub next: Vec<String>,
}

/// The last landing of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunLandingView {
    /// The branch that it landed on.
    pub branch: String,
    /// The commit of that branch with the run.
    pub commit: String,
    /// How: under its checks, without them, or by a merge made elsewhere.
    pub manner: WireWord<LandingManner>,
    /// Why it landed although its checks or its files do not say that it may.
    pub reason: Option<String>,
    /// Whether a part of the run landed.
    pub partial: bool,
    /// Whether all its merged tasks landed.
    pub complete: bool,
    /// The agent that requested it.
    pub by: String,
    /// When.
    pub at: UtcTimestamp,
}

impl RunLandingView {
    /// Returns the last landing of a run.
    #[must_use]
    pub fn of_run(run: &core::Run) -> Option<Self> {
        run.landing.as_ref().map(|landing| Self {
            branch: landing.onto.clone(),
            commit: landing.commit.to_string(),
            manner: landing.manner.into(),
            reason: landing.reason.clone(),
            partial: landing.partial,
            complete: run.counts.in_state(TaskState::Done) <= landing.tasks,
            by: landing.by.to_string(),
            at: landing.at.into(),
        })
    }
}

impl RunView {
    /// Returns the run.
    #[must_use]
    pub fn from_run(run: &core::Run) -> Self {
        let policy = &run.policy;
        Self {
            id: run.name.to_string(),
            title: run.title.clone(),
            goal: run.goal.as_deref().and_then(none_if_empty),
            state: run.state.status().into(),
            outcome: run_outcome(run),
            pause: RunPauseView::of_run(run),
            done_when: policy.done_when.into(),
            base: run.ground.as_ref().map(|ground| RunBaseView {
                commit: ground.base.to_string(),
                branch: ground.base_branch.clone(),
            }),
            branch: run.ground.as_ref().map(|ground| ground.branch.clone()),
            folder: run.folder.clone(),
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
            check_by: run.rules.checks.by.into(),
            check_retries: run.rules.checks.retries,
            flaky: run.rules.checks.flaky.into(),
            check_cache: run.rules.check_cache.clone(),
            check_env: run.rules.check_env.clone(),
            setup_key: run.rules.setup_key.clone(),
            setup_may_change: run.rules.setup_may_change.clone(),
            on_branch_move: run.rules.on_branch_move.into(),
            trailers: run.rules.trailers,
            run_hooks: run.rules.run_hooks,
            rework: run.rules.rework,
            review: run.rules.review.into(),
            max_wall_ms: run.budget.run.wall.map(|span| span.0),
            max_cost: run.budget.run.cost_micros.map(UsdAmount),
            max_tokens: run.budget.run.tokens,
            max_all_attempts: run.budget.max_attempts_all,
            task_max_wall_ms: run.budget.task.wall.map(|span| span.0),
            task_max_cost: run.budget.task.cost_micros.map(UsdAmount),
            task_max_tokens: run.budget.task.tokens,
            attempt_max_wall_ms: run.budget.attempt.wall.map(|span| span.0),
            attempt_max_cost: run.budget.attempt.cost_micros.map(UsdAmount),
            attempt_max_tokens: run.budget.attempt.tokens,
            attempt_reserve: run.budget.attempt_reserve_micros.map(UsdAmount),
            landed: RunLandingView::of_run(run),
            spent: usage_view(run),
            cost_usd: run.spent.cost_micros.map(UsdAmount),
            tokens: TokensView::of_usage(run.spent),
            created_at: run.created_at.into(),
            updated_at: run.updated_at.into(),
        }
    }
}

/// Returns the resource usage if a budget is set or something was used.
fn usage_view(run: &core::Run) -> Option<ResourceUsageView> {
    let core::ResourceUsage { cost_micros, tokens, attempts } = run.spent;
    let is_told = run.budget != core::Budget::default() || cost_micros.is_some() || tokens.is_some();
    is_told.then(|| ResourceUsageView {
        attempts,
        tokens: tokens.map(core::TokenUsage::total),
        cost: cost_micros.map(UsdAmount),
    })
}

/// A run as a line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSummary {
    /// Its name.
    pub id: String,
    /// A one-line summary.
    pub title: String,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// Its outcome, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Its progress.
    pub progress: RunProgress,
    /// When it or one of its tasks last changed.
    pub updated_at: UtcTimestamp,
}

impl RunSummary {
    /// Returns the run.
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

/// A run as the header of its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunHeader {
    /// Its name.
    pub id: String,
    /// A one-line summary.
    pub title: String,
    /// Its goal.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// Its outcome, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Its pause, while it is paused.
    pub pause: Option<RunPauseView>,
    /// Its last landing; null if it has not landed.
    pub landed: Option<RunLandingView>,
    /// When a task is done.
    pub done_when: WireWord<DoneWhen>,
    /// The branch that was checked out at its base commit, if any.
    pub base_branch: Option<String>,
    /// The limit of live attempts; null is no limit.
    pub max_active: Option<u32>,
    /// The known cost of its attempts in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens of its attempts; null where none are known.
    pub tokens: Option<TokensView>,
    /// When it or one of its tasks last changed.
    pub updated_at: UtcTimestamp,
}

impl RunHeader {
    /// Returns the run.
    #[must_use]
    pub fn from_run(run: &core::Run) -> Self {
        Self {
            id: run.name.to_string(),
            title: run.title.clone(),
            goal: run.goal.as_deref().and_then(none_if_empty),
            state: run.state.status().into(),
            outcome: run_outcome(run),
            pause: RunPauseView::of_run(run),
            landed: RunLandingView::of_run(run),
            done_when: run.policy.done_when.into(),
            base_branch: run.ground.as_ref().and_then(|ground| ground.base_branch.clone()),
            max_active: run.policy.max_active,
            cost_usd: run.spent.cost_micros.map(UsdAmount),
            tokens: TokensView::of_usage(run.spent),
            updated_at: run.updated_at.into(),
        }
    }
}

/// The progress of a run: done tasks, of those that are not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunProgress {
    /// Tasks that are done.
    pub done: i64,
    /// Tasks that were not cancelled.
    pub total: i64,
}

impl RunProgress {
    /// Derives the progress from the counts.
    #[must_use]
    pub fn from_counts(counts: &TaskCounts) -> Self {
        Self {
            done: counts.in_state(TaskState::Done),
            total: counts.total() - counts.in_state(TaskState::Cancelled),
        }
    }
}

/// The number of tasks in each state; every state is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct TaskCountsView(pub Map<String, serde_json::Value>);

impl TaskCountsView {
    /// Returns the counts.
    #[must_use]
    pub fn from_counts(counts: &TaskCounts) -> Self {
        let entry = |state: TaskState| (state.name().to_owned(), counts.in_state(state).into());
        Self(TaskState::ALL.into_iter().map(entry).collect())
    }

    /// Returns how many tasks are in a state.
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

impl RunPauseView {
    /// Returns the pause of a run, if it is paused.
    #[must_use]
    pub fn of_run(run: &core::Run) -> Option<Self> {
        match &run.state {
            RunState::Paused(pause) => Some(Self {
                reason: pause.reason.into(),
                message: pause.message.clone(),
                at: pause.at.into(),
                until: pause.until.map(UtcTimestamp::from),
                next: pause_commands(run, pause),
            }),
            RunState::Open | RunState::Finished(_) | RunState::Cancelled => None,
        }
    }
}

/// Returns the commands that end a pause.
fn pause_commands(run: &core::Run, pause: &core::RunPause) -> Vec<String> {
    let has_base = run.ground.as_ref().is_some_and(|git| git.base_branch.is_some());
    let exists = run.ground.as_ref().is_some_and(|git| git.seen.is_some());
    let options = run.budget.exhausted_options(run.spent, pause.at - run.created_at);
    let options: Vec<&str> = options.into_iter().collect();
    remedy_commands(pause.reason, &run.name, &options, (has_base, exists))
}

/// Returns the commands that end a pause with this reason; `options` are those that raise the limits that are reached.
pub(crate) fn remedy_commands(
    reason: PauseReason,
    name: &Slug,
    options: &[&str],
    (has_base, branch_exists): (bool, bool),
) -> Vec<String> {
    let resume = format!("orch run resume {name}");
    match reason {
        PauseReason::User | PauseReason::OperationFailed | PauseReason::Breaker | PauseReason::Disk => {
            vec![resume]
        }
        PauseReason::Stop => vec![resume, format!("orch drive {name}")],
        PauseReason::Budget => {
            options.iter().map(|option| format!("orch run edit {name} {option}")).collect()
        }
        PauseReason::Baseline => {
            let sync = has_base.then(|| format!("orch run sync {name}"));
            [format!("orch run edit {name} --verify CMD")].into_iter().chain(sync).chain([resume]).collect()
        }
        PauseReason::BranchMoved => tree_error::repair_commands(name, branch_exists),
    }
}
