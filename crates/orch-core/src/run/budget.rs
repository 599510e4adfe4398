//! The limits of a run, of each of its tasks and of each attempt, and how much of them is used.

use std::fmt;

use super::usage::{DollarAmount, ResourceUsage};
use crate::time::{Time, TimeSpan};
use serde::Serialize;

/// The beginning of the reason of an attempt that was ended at a limit.
pub const LIMIT_REASON: &str = "budget: ";

/// Limits of usage; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageLimits {
    /// Wall time.
    pub wall: Option<TimeSpan>,
    /// Cost in millionths of a US dollar.
    pub cost_micros: Option<i64>,
    /// Tokens.
    pub tokens: Option<i64>,
}

/// The limits of a run; `None` is no limit, and in an edit no change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// The limits of the whole run; its wall time counts from its creation.
    pub run: UsageLimits,
    /// The limits of all attempts at one task together.
    pub task: UsageLimits,
    /// The limits of one attempt.
    pub attempt: UsageLimits,
    /// The number of attempts at all tasks.
    pub max_attempts_all: Option<u32>,
    /// What is set aside for an attempt when it is dispatched, in millionths of a US dollar.
    pub attempt_reserve_micros: Option<i64>,
}

named_enum! {
    /// A limited quantity.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum BudgetMeasure {
        /// Wall time.
        Wall = "wall",
        /// Money.
        Cost = "cost",
        /// Tokens.
        Tokens = "tokens",
        /// Attempts.
        Attempts = "attempts",
    }
}

named_enum! {
    /// What a limit applies to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum LimitScope {
        /// A run.
        Run = "run",
        /// All attempts at a task together.
        Task = "task",
        /// One attempt.
        Attempt = "attempt",
    }
}

/// The usage of one limit: milliseconds, millionths of a US dollar, tokens or attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUsage {
    /// What the limit applies to.
    pub scope: LimitScope,
    /// The quantity.
    pub measure: BudgetMeasure,
    /// The amount used.
    pub used: i64,
    /// The limit.
    pub max: i64,
}

impl LimitUsage {
    /// Returns whether the limit is reached.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.used >= self.max
    }

    /// Returns whether 80 % are used, so that the lead is warned in time.
    #[must_use]
    pub fn is_near(self) -> bool {
        i128::from(self.used) * 5 >= i128::from(self.max) * 4
    }

    /// Returns whether 80 % are used, and were not when this much was used.
    #[must_use]
    pub fn has_become_near(self, used_before: i64) -> bool {
        self.is_near() && !Self { used: used_before, ..self }.is_near()
    }

    /// Returns how much is left.
    #[must_use]
    pub fn left(self) -> i64 {
        self.max.saturating_sub(self.used).max(0)
    }

    /// Returns the option of `orch run edit` that raises the limit.
    #[must_use]
    pub fn option(self) -> &'static str {
        self.measure.limit_option(self.scope)
    }
}

impl BudgetMeasure {
    /// Returns the option of `orch run edit` for the limit of this quantity in a scope.
    #[must_use]
    pub fn limit_option(self, scope: LimitScope) -> &'static str {
        use BudgetMeasure as M;
        use LimitScope as S;
        match (scope, self) {
            (_, M::Attempts) => "--max-all-attempts N",
            (S::Run, M::Wall) => "--max-wall D",
            (S::Run, M::Cost) => "--max-cost USD",
            (S::Run, M::Tokens) => "--max-tokens N",
            (S::Task, M::Wall) => "--task-max-wall D",
            (S::Task, M::Cost) => "--task-max-cost USD",
            (S::Task, M::Tokens) => "--task-max-tokens N",
            (S::Attempt, M::Wall) => "--attempt-max-wall D",
            (S::Attempt, M::Cost) => "--attempt-max-cost USD",
            (S::Attempt, M::Tokens) => "--attempt-max-tokens N",
        }
    }
}

impl fmt::Display for LimitUsage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, max) = (self.used, self.max);
        match self.measure {
            BudgetMeasure::Wall => write!(out, "{} of {} s", used / 1_000, max.saturating_add(999) / 1_000),
            BudgetMeasure::Cost => write!(out, "{} of {} US dollars", DollarAmount(used), DollarAmount(max)),
            BudgetMeasure::Tokens => write!(out, "{used} of {max} tokens"),
            BudgetMeasure::Attempts => write!(out, "{used} of {max} attempts"),
        }
    }
}

impl UsageLimits {
    /// Returns the usage of each limit.
    pub fn usage(
        &self,
        scope: LimitScope,
        spent: ResourceUsage,
        wall: TimeSpan,
    ) -> impl Iterator<Item = LimitUsage> + use<> {
        let limits = [
            (BudgetMeasure::Wall, wall.0, self.wall.map(|span| span.0)),
            (BudgetMeasure::Cost, spent.known_cost(), self.cost_micros),
            (BudgetMeasure::Tokens, spent.known_tokens(), self.tokens),
        ];
        limits
            .into_iter()
            .filter_map(move |(measure, used, max)| Some(LimitUsage { scope, measure, used, max: max? }))
    }

    /// Returns whether there is a limit.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        *self != Self::default()
    }

    fn overridden_by(self, edit: Self) -> Self {
        Self {
            wall: edit.wall.or(self.wall),
            cost_micros: edit.cost_micros.or(self.cost_micros),
            tokens: edit.tokens.or(self.tokens),
        }
    }
}

impl Budget {
    /// Returns the usage of each limit of the run.
    pub fn run_usage(
        &self,
        spent: ResourceUsage,
        wall: TimeSpan,
    ) -> impl Iterator<Item = LimitUsage> + use<> {
        let attempts = self.max_attempts_all.map(|max| LimitUsage {
            scope: LimitScope::Run,
            measure: BudgetMeasure::Attempts,
            used: spent.attempts,
            max: i64::from(max),
        });
        self.run.usage(LimitScope::Run, spent, wall).chain(attempts)
    }

    /// Returns the times at which 80 % and 100 % of the wall time of a run that began at `began` are used.
    pub fn wall_time_marks(&self, began: Time) -> impl Iterator<Item = Time> + use<> {
        let max = self.run.wall;
        let near = max.map(|max| began + TimeSpan(max.0 / 5 * 4 + max.0 % 5));
        [near, max.map(|max| began + max)].into_iter().flatten()
    }

    /// Returns the options of `orch run edit` that raise the run's limits that are reached.
    #[must_use]
    pub fn exhausted_options(&self, spent: ResourceUsage, wall: TimeSpan) -> Vec<&'static str> {
        self.run_usage(spent, wall).filter(|usage| usage.is_over()).map(LimitUsage::option).collect()
    }

    /// Returns whether the cost is limited, of the run, of its tasks or of its attempts.
    #[must_use]
    pub fn limits_cost(&self) -> bool {
        [self.run, self.task, self.attempt].iter().any(|limits| limits.cost_micros.is_some())
    }

    /// Returns what is set aside for each attempt, where the run says so.
    #[must_use]
    pub fn fixed_reserve(&self) -> Option<i64> {
        self.attempt_reserve_micros.or(self.attempt.cost_micros)
    }

    /// Returns how many more attempts the run may make; `None` is no limit.
    #[must_use]
    pub fn attempts_left(&self, spent: ResourceUsage) -> Option<i64> {
        self.max_attempts_all.map(|max| i64::from(max).saturating_sub(spent.attempts).max(0))
    }

    /// Returns the budget with the limits that an edit names.
    #[must_use]
    pub fn overridden_by(self, edit: Self) -> Self {
        Self {
            run: self.run.overridden_by(edit.run),
            task: self.task.overridden_by(edit.task),
            attempt: self.attempt.overridden_by(edit.attempt),
            max_attempts_all: edit.max_attempts_all.or(self.max_attempts_all),
            attempt_reserve_micros: edit.attempt_reserve_micros.or(self.attempt_reserve_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::usage::TokenUsage;
    use super::*;

    #[test]
    fn at_its_moments_a_run_is_near_and_over() {
        for max in [1, 4, 5, 6, 9, 1_000, 86_399_999] {
            let wall = UsageLimits { wall: Some(TimeSpan(max)), ..UsageLimits::default() };
            let budget = Budget { run: wall, ..Budget::default() };
            let marks: Vec<Time> = budget.wall_time_marks(Time(7)).collect();
            let at = |at: Time| budget.run_usage(ResourceUsage::default(), at - Time(7)).next().unwrap();
            assert!(at(marks[0]).is_near() && at(marks[1]).is_over(), "{max}");
            assert!(!at(marks[1] + TimeSpan(-1)).is_over(), "{max}");
        }
        assert_eq!(Budget::default().wall_time_marks(Time(7)).count(), 0);
    }

    #[test]
    fn near_is_four_fifths_and_over_is_all_of_it() {
        let tokens =
            |used, max| LimitUsage { scope: LimitScope::Run, measure: BudgetMeasure::Tokens, used, max };
        for (used, near, over) in
            [(0, false, false), (79, false, false), (80, true, false), (99, true, false), (100, true, true)]
        {
            let it = tokens(used, 100);
            assert_eq!((it.is_near(), it.is_over()), (near, over), "{used}");
        }
        assert!(tokens(i64::MAX, i64::MAX).is_over() && tokens(i64::MAX, i64::MAX).is_near());
        for (before, used, warned) in [(0, 79, false), (79, 80, true), (80, 99, false), (0, 100, true)] {
            assert_eq!(tokens(used, 100).has_become_near(before), warned, "{before} {used}");
        }
    }

    #[test]
    fn only_what_is_limited_is_told() {
        let budget = Budget {
            run: UsageLimits { cost_micros: Some(2_500_000), ..UsageLimits::default() },
            task: UsageLimits { wall: Some(TimeSpan(1_500)), ..UsageLimits::default() },
            attempt: UsageLimits { tokens: Some(9), ..UsageLimits::default() },
            ..Budget::default()
        };
        let tokens = Some(TokenUsage { input: 5, cached_input: 4, output: 2 });
        let spent = ResourceUsage { cost_micros: Some(1_000_001), tokens, attempts: 3 };
        let list = |found: Vec<LimitUsage>| {
            found.iter().map(|it| format!("{it} {}", it.option())).collect::<Vec<String>>()
        };
        let run = list(budget.run_usage(spent, TimeSpan(9)).collect());
        assert_eq!(run, ["1.000001 of 2.50 US dollars --max-cost USD"]);
        let task = list(budget.task.usage(LimitScope::Task, spent, TimeSpan(1_400)).collect());
        assert_eq!(task, ["1 of 2 s --task-max-wall D"]);
        let attempt = list(budget.attempt.usage(LimitScope::Attempt, spent, TimeSpan(0)).collect());
        assert_eq!(attempt, ["7 of 9 tokens --attempt-max-tokens N"]);
    }

    #[test]
    fn attempts_are_counted_down_to_none() {
        let budget = Budget { max_attempts_all: Some(3), ..Budget::default() };
        for (attempts, left) in [(0, 3), (2, 1), (3, 0), (5, 0)] {
            assert_eq!(
                budget.attempts_left(ResourceUsage { attempts, ..ResourceUsage::default() }),
                Some(left)
            );
        }
        assert_eq!(Budget::default().attempts_left(ResourceUsage::default()), None);
    }

    #[test]
    fn an_edit_changes_only_what_it_names() {
        let limits = |tokens| UsageLimits { tokens: Some(tokens), ..UsageLimits::default() };
        let before = Budget { run: limits(1), attempt: limits(2), ..Budget::default() };
        let edit = Budget { attempt: limits(3), attempt_reserve_micros: Some(4), ..Budget::default() };
        let after = before.overridden_by(edit);
        assert_eq!(after.run, limits(1));
        assert_eq!(after.attempt, limits(3));
        assert_eq!(after.attempt_reserve_micros, Some(4));
    }
}
