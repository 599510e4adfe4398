//! The options of a run for the rules of its attempts.

use orch_app::values::{
    parse_check_identity, parse_check_variable, parse_flaky_verdict, parse_on_branch_move, parse_review,
};
use orch_core::check::{CheckIdentity, CheckPolicy, FlakyVerdict};
use orch_core::limit;
use orch_core::run::{AttemptRules, BranchMovePolicy, Budget, ReviewPolicy, RunEdit};
use orch_core::time::TimeSpan;

use super::budget::BudgetOptions;
use crate::arguments::parse_duration;
use crate::text_source::{check_entries, check_not_empty};
use orch_app::AppError;

/// The rules of a run's attempts, and its budgets.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RuleOptions {
    /// A command that checks every attempt, run by `sh -c` in its worktree; may be repeated
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    verify: Vec<String>,
    /// A command that prepares a new worktree
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    setup: Option<String>,
    /// Ignored files to copy into each new worktree, such as .env; may be repeated
    #[arg(long, value_name = "GLOB")]
    copy: Vec<String>,
    /// Files that attempts must not change, such as the checks themselves; may be repeated
    #[arg(long, value_name = "GLOB")]
    protect: Vec<String>,
    /// The time limit of one check and of the setup
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    check_limit: Option<TimeSpan>,
    /// Reuse the results of checks by the tree or by the commit that they ran on [default: tree]
    #[arg(long, value_name = "IDENTITY", value_parser = parse_check_identity)]
    check_by: Option<CheckIdentity>,
    /// How often a failed check runs again before its failure counts [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(limit::CHECK_RETRIES_MAX)))]
    check_retries: Option<u32>,
    /// How many rejected attempts of a task continue in their session and worktree; 0 begins each in a new session [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(limit::REWORK_MAX)))]
    rework: Option<u32>,
    /// What a check counts as that both failed and passed on the same tree: pass or fail [default: pass]
    #[arg(long, value_name = "VERDICT", value_parser = parse_flaky_verdict)]
    flaky: Option<FlakyVerdict>,
    /// Untracked files that stay in a check tree from one check to the next, such as target/; may be repeated
    #[arg(long, value_name = "GLOB")]
    check_cache: Vec<String>,
    /// A variable that checks and setups get besides those that workers get: NAME, PREFIX_* or NAME=VALUE; may be repeated
    #[arg(long, value_name = "VARIABLE")]
    check_env: Vec<String>,
    /// Files on which the setup depends, such as lock files: while they are the same, a check tree is not set up again; may be repeated
    #[arg(long, value_name = "GLOB")]
    setup_key: Vec<String>,
    /// Tracked files that the setup may change; they are restored after it, and a change of others is refused; may be repeated
    #[arg(long, value_name = "GLOB")]
    setup_may_change: Vec<String>,
    /// Which attempts wait after their checks until `orch accept` or `orch reject`: none, all, or those that change protected files [default: none]
    #[arg(long, value_name = "WHICH", value_parser = parse_review)]
    review: Option<ReviewPolicy>,
    /// What happens when others add commits to the run's branch: check them before the next merge, or pause the run [default: check]
    #[arg(long, value_name = "ACTION", value_parser = parse_on_branch_move)]
    on_branch_move: Option<BranchMovePolicy>,
    #[command(flatten)]
    budget: BudgetOptions,
}

impl RuleOptions {
    /// Checks the commands and patterns.
    ///
    /// # Errors
    /// A text is empty or too long, or there are too many.
    pub(super) fn check_texts(&self, may_clear: bool) -> Result<(), AppError> {
        for (name, given) in [
            ("--verify", &self.verify),
            ("--copy", &self.copy),
            ("--protect", &self.protect),
            ("--check-cache", &self.check_cache),
            ("--check-env", &self.check_env),
            ("--setup-key", &self.setup_key),
            ("--setup-may-change", &self.setup_may_change),
        ] {
            check_entries(name, given)?;
            // A single empty text removes all of them.
            let clears = may_clear && given.len() == 1;
            for text in given.iter().filter(|text| !(clears && text.is_empty())) {
                check_not_empty(name, text)?;
            }
        }
        if let Some(glob) = self.globs().find(|glob| glob.starts_with('!')) {
            return Err(AppError::invalid_argument(
                "GLOB",
                format!("The pattern {glob} must not begin with `!`."),
            ));
        }
        for text in self.check_env.iter().filter(|text| !(may_clear && text.is_empty())) {
            parse_check_variable(text).map_err(|error| AppError::invalid_argument("--check-env", error))?;
        }
        if let Some(setup) = self.setup.as_ref().filter(|setup| !(may_clear && setup.is_empty())) {
            check_not_empty("--setup", setup)?;
        }
        Ok(())
    }

    fn globs(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.copy, &self.protect, &self.check_cache, &self.setup_key, &self.setup_may_change];
        lists.into_iter().flatten()
    }

    /// Returns the rules and the budget of a new run.
    pub(super) fn new_run_rules(&self) -> (AttemptRules, Budget) {
        let defaults = AttemptRules::default();
        let rules = AttemptRules {
            verify: self.verify.clone(),
            setup: self.setup.clone(),
            copy: self.copy.clone(),
            protect: self.protect.clone(),
            check_limit: self.check_limit.unwrap_or(defaults.check_limit),
            rework: self.rework.unwrap_or(defaults.rework),
            review: self.review.unwrap_or_default(),
            checks: CheckPolicy {
                by: self.check_by.unwrap_or(defaults.checks.by),
                retries: self.check_retries.unwrap_or(defaults.checks.retries),
                flaky: self.flaky.unwrap_or(defaults.checks.flaky),
            },
            check_cache: self.check_cache.clone(),
            check_env: self.check_env.clone(),
            setup_key: self.setup_key.clone(),
            setup_may_change: self.setup_may_change.clone(),
            on_branch_move: self.on_branch_move.unwrap_or_default(),
            ..defaults
        };
        (rules, self.budget.budget())
    }

    /// Adds the options to the changes of a run.
    pub(super) fn apply_to_edit(&self, edit: RunEdit) -> RunEdit {
        let list = |given: &[String]| {
            let kept: Vec<String> = given.iter().filter(|text| !text.is_empty()).cloned().collect();
            (!given.is_empty()).then_some(kept)
        };
        RunEdit {
            verify: list(&self.verify),
            setup: self.setup.clone(),
            copy: list(&self.copy),
            protect: list(&self.protect),
            check_limit: self.check_limit,
            rework: self.rework,
            review: self.review,
            check_by: self.check_by,
            check_retries: self.check_retries,
            flaky: self.flaky,
            check_cache: list(&self.check_cache),
            check_env: list(&self.check_env),
            setup_key: list(&self.setup_key),
            setup_may_change: list(&self.setup_may_change),
            on_branch_move: self.on_branch_move,
            budget: self.budget.budget(),
            ..edit
        }
    }
}
