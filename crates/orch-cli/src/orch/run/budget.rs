//! The options of a run for its budget: limits of the run, its tasks and its attempts, and the reserve.

use orch_app::values::{parse_dollars, parse_token_count};
use orch_core::run::Budget;
use orch_core::run::budget::UsageLimits;
use orch_core::time::TimeSpan;

use crate::arguments::parse_duration;

/// The budget of a run.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Budget")]
pub(super) struct BudgetOptions {
    /// Pause the run after this much wall time, and recall its live attempts
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_wall: Option<TimeSpan>,
    /// Pause the run at this cost in US dollars, and recall its live attempts
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<i64>,
    /// Pause the run at this number of tokens, and recall its live attempts
    #[arg(long, value_name = "N", value_parser = parse_token_count)]
    max_tokens: Option<i64>,
    /// Pause the run at this number of attempts of all tasks together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    max_all_attempts: Option<u32>,
    /// Do not dispatch a task again whose attempts ran this long together; its worker is ended
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    task_max_wall: Option<TimeSpan>,
    /// Do not dispatch a task again whose attempts cost this much together, in US dollars; its worker is ended
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    task_max_cost: Option<i64>,
    /// Do not dispatch a task again whose attempts used this many tokens together; its worker is ended
    #[arg(long, value_name = "N", value_parser = parse_token_count)]
    task_max_tokens: Option<i64>,
    /// End an attempt whose workers ran this long; it counts as failed
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    attempt_max_wall: Option<TimeSpan>,
    /// End an attempt at this cost in US dollars; it counts as failed
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    attempt_max_cost: Option<i64>,
    /// End an attempt at this number of tokens; it counts as failed
    #[arg(long, value_name = "N", value_parser = parse_token_count)]
    attempt_max_tokens: Option<i64>,
    /// Set this many US dollars of --max-cost aside for each attempt [default: --attempt-max-cost, else the dearest attempt of its profile]
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    attempt_reserve: Option<i64>,
}

impl BudgetOptions {
    /// Returns the limits that are given.
    pub(super) fn budget(&self) -> Budget {
        Budget {
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
        }
    }
}
