//! The fields of a plan's run.

use orch_core::check::{CheckIdentity, FlakyVerdict};
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::run::budget::UsageLimits;
use orch_core::run::{BranchMovePolicy, Budget, DoneWhen, ReviewPolicy, RunEdit};
use orch_core::time::TimeSpan;
use serde::Deserialize;

use super::fields;

/// The run as the plan has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunFields {
    /// The name of the run that the plan is for.
    #[serde(deserialize_with = "fields::slug")]
    pub(super) name: Option<Slug>,
    /// When a task counts as done.
    #[serde(deserialize_with = "fields::done_when")]
    pub(super) done_when: Option<DoneWhen>,
    /// The revision that the run begins from, where the plan creates it.
    #[serde(deserialize_with = "fields::command")]
    pub(super) base: Option<String>,
    #[serde(deserialize_with = "fields::title")]
    title: Option<String>,
    #[serde(deserialize_with = "fields::text")]
    goal: Option<String>,
    #[serde(deserialize_with = "fields::count")]
    max_active: Option<u32>,
    #[serde(deserialize_with = "fields::max_attempts")]
    max_attempts: Option<u32>,
    #[serde(deserialize_with = "fields::duration")]
    retry_delay: Option<TimeSpan>,
    #[serde(deserialize_with = "fields::lease")]
    lease: Option<LeaseLength>,
    #[serde(deserialize_with = "fields::duration")]
    answer_after: Option<TimeSpan>,
    #[serde(deserialize_with = "fields::texts")]
    verify: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::command")]
    setup: Option<String>,
    #[serde(deserialize_with = "fields::texts")]
    copy: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::texts")]
    protect: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::duration")]
    check_limit: Option<TimeSpan>,
    #[serde(deserialize_with = "fields::check_identity")]
    check_by: Option<CheckIdentity>,
    #[serde(deserialize_with = "fields::check_retries")]
    check_retries: Option<u32>,
    #[serde(deserialize_with = "fields::flaky_verdict")]
    flaky: Option<FlakyVerdict>,
    #[serde(deserialize_with = "fields::texts")]
    check_cache: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::check_variables")]
    check_env: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::texts")]
    setup_key: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::texts")]
    setup_may_change: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::on_branch_move")]
    on_branch_move: Option<BranchMovePolicy>,
    trailers: Option<bool>,
    run_hooks: Option<bool>,
    #[serde(deserialize_with = "fields::review")]
    review: Option<ReviewPolicy>,
    #[serde(deserialize_with = "fields::rework")]
    rework: Option<u32>,
    #[serde(deserialize_with = "fields::duration")]
    max_wall: Option<TimeSpan>,
    #[serde(deserialize_with = "fields::dollars")]
    max_cost: Option<i64>,
    #[serde(deserialize_with = "fields::tokens")]
    max_tokens: Option<i64>,
    #[serde(deserialize_with = "fields::count")]
    max_all_attempts: Option<u32>,
    #[serde(deserialize_with = "fields::duration")]
    task_max_wall: Option<TimeSpan>,
    #[serde(deserialize_with = "fields::dollars")]
    task_max_cost: Option<i64>,
    #[serde(deserialize_with = "fields::tokens")]
    task_max_tokens: Option<i64>,
    #[serde(deserialize_with = "fields::duration")]
    attempt_max_wall: Option<TimeSpan>,
    #[serde(deserialize_with = "fields::dollars")]
    attempt_max_cost: Option<i64>,
    #[serde(deserialize_with = "fields::tokens")]
    attempt_max_tokens: Option<i64>,
    #[serde(deserialize_with = "fields::dollars")]
    attempt_reserve: Option<i64>,
}

impl RunFields {
    /// Returns the changes that the plan makes to its run.
    pub(super) fn into_edit(self) -> RunEdit {
        RunEdit {
            title: self.title,
            goal: self.goal,
            max_active: self.max_active.map(Some),
            max_attempts: self.max_attempts,
            retry_delay: self.retry_delay,
            lease: self.lease,
            answer_after: self.answer_after.map(Some),
            verify: self.verify,
            setup: self.setup,
            copy: self.copy,
            protect: self.protect,
            check_limit: self.check_limit,
            check_by: self.check_by,
            check_retries: self.check_retries,
            flaky: self.flaky,
            check_cache: self.check_cache,
            check_env: self.check_env,
            setup_key: self.setup_key,
            setup_may_change: self.setup_may_change,
            on_branch_move: self.on_branch_move,
            trailers: self.trailers,
            run_hooks: self.run_hooks,
            rework: self.rework,
            review: self.review,
            budget: Budget {
                run: UsageLimits { wall: self.max_wall, cost_micros: self.max_cost, tokens: self.max_tokens },
                task: UsageLimits {
                    wall: self.task_max_wall,
                    cost_micros: self.task_max_cost,
                    tokens: self.task_max_tokens,
                },
                attempt: UsageLimits {
                    wall: self.attempt_max_wall,
                    cost_micros: self.attempt_max_cost,
                    tokens: self.attempt_max_tokens,
                },
                max_attempts_all: self.max_all_attempts,
                attempt_reserve_micros: self.attempt_reserve,
            },
        }
    }
}
