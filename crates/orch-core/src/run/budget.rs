//! Budgets of a run and of its tasks, and their usage.

use std::fmt;

use super::ResourceUsage;
use crate::time::{Time, TimeSpan};
use serde::Serialize;

/// The limits of a run and of each of its tasks; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Wall time since its creation.
    pub max_wall: Option<TimeSpan>,
    /// Cost in millionths of a US dollar.
    pub max_cost_micros: Option<i64>,
    /// Tokens of all attempts.
    pub max_tokens: Option<i64>,
    /// Attempts of all tasks.
    pub max_attempts_all: Option<u32>,
    /// Wall time of the attempts of one task.
    pub task_wall: Option<TimeSpan>,
    /// Cost of the attempts of one task, in millionths of a US dollar.
    pub task_cost_micros: Option<i64>,
    /// Tokens of the attempts of one task.
    pub task_tokens: Option<i64>,
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

/// The usage of one limit: milliseconds, millionths of a US dollar, tokens or attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUsage {
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
        self.used.saturating_mul(5) >= self.max.saturating_mul(4)
    }
}

impl fmt::Display for LimitUsage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, max) = (self.used, self.max);
        match self.measure {
            BudgetMeasure::Wall => write!(out, "{} of {} s", used / 1_000, (max + 999) / 1_000),
            BudgetMeasure::Cost => write!(out, "{} of {} US dollars", DollarAmount(used), DollarAmount(max)),
            BudgetMeasure::Tokens => write!(out, "{used} of {max} tokens"),
            BudgetMeasure::Attempts => write!(out, "{used} of {max} attempts"),
        }
    }
}

/// Displays millionths of a dollar with two decimals, or with six when needed.
struct DollarAmount(i64);

impl fmt::Display for DollarAmount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if part % 10_000 == 0 {
            write!(out, "{whole}.{:02}", part / 10_000)
        } else {
            write!(out, "{whole}.{part:06}")
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
        let limits = [
            (BudgetMeasure::Wall, wall.0, self.max_wall.map(|span| span.0)),
            (BudgetMeasure::Cost, spent.cost_micros, self.max_cost_micros),
            (BudgetMeasure::Tokens, spent.tokens, self.max_tokens),
            (BudgetMeasure::Attempts, spent.attempts, self.max_attempts_all.map(i64::from)),
        ];
        limits.into_iter().filter_map(|(measure, used, max)| Some(LimitUsage { measure, used, max: max? }))
    }

    /// Returns the times at which 80 % and 100 % of the wall time of a run that began at `began` are used.
    pub fn wall_time_marks(&self, began: Time) -> impl Iterator<Item = Time> + use<> {
        let near = self.max_wall.map(|max| began + TimeSpan(max.0 / 5 * 4 + max.0 % 5));
        [near, self.max_wall.map(|max| began + max)].into_iter().flatten()
    }

    /// Returns the usage of each limit of a task.
    pub fn task_usage(
        &self,
        spent: ResourceUsage,
        wall: TimeSpan,
    ) -> impl Iterator<Item = LimitUsage> + use<> {
        let limits = [
            (BudgetMeasure::Wall, wall.0, self.task_wall.map(|span| span.0)),
            (BudgetMeasure::Cost, spent.cost_micros, self.task_cost_micros),
            (BudgetMeasure::Tokens, spent.tokens, self.task_tokens),
        ];
        limits.into_iter().filter_map(|(measure, used, max)| Some(LimitUsage { measure, used, max: max? }))
    }

    /// Returns the options of `orch run edit` that raise the limits that are reached: the run's, else those of its tasks.
    #[must_use]
    pub fn exhausted_options(&self, spent: ResourceUsage, wall: TimeSpan) -> Vec<&'static str> {
        let of_run = |measure| match measure {
            BudgetMeasure::Wall => "--max-wall D",
            BudgetMeasure::Cost => "--max-cost USD",
            BudgetMeasure::Tokens => "--max-tokens N",
            BudgetMeasure::Attempts => "--max-all-attempts N",
        };
        let reached = self.run_usage(spent, wall).filter(|usage| usage.is_over());
        let options: Vec<&str> = reached.map(|usage| of_run(usage.measure)).collect();
        if !options.is_empty() {
            return options;
        }
        [
            (self.task_wall.is_some(), "--task-max-wall D"),
            (self.task_cost_micros.is_some(), "--task-max-cost USD"),
            (self.task_tokens.is_some(), "--task-max-tokens N"),
        ]
        .into_iter()
        .filter_map(|(is_set, option)| is_set.then_some(option))
        .collect()
    }

    /// Returns whether tasks have limits.
    #[must_use]
    pub fn bounds_tasks(&self) -> bool {
        self.task_wall.is_some() || self.task_cost_micros.is_some() || self.task_tokens.is_some()
    }

    /// Returns how many more attempts the run may make; `None` is no limit.
    #[must_use]
    pub fn attempts_left(&self, spent: ResourceUsage) -> Option<i64> {
        self.max_attempts_all.map(|max| i64::from(max).saturating_sub(spent.attempts).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_its_moments_a_run_is_near_and_over() {
        for max in [1, 4, 5, 6, 9, 1_000, 86_399_999] {
            let budget = Budget { max_wall: Some(TimeSpan(max)), ..Budget::default() };
            let moments: Vec<Time> = budget.wall_time_marks(Time(7)).collect();
            let at = |at: Time| budget.run_usage(ResourceUsage::default(), at - Time(7)).next().unwrap();
            assert!(at(moments[0]).is_near() && at(moments[1]).is_over(), "{max}");
            assert!(!at(moments[1] + TimeSpan(-1)).is_over(), "{max}");
        }
        assert_eq!(Budget::default().wall_time_marks(Time(7)).count(), 0);
    }

    #[test]
    fn four_fifths_are_near_and_all_is_over() {
        for (used, near, over) in
            [(79, false, false), (80, true, false), (99, true, false), (100, true, true)]
        {
            let it = LimitUsage { measure: BudgetMeasure::Tokens, used, max: 100 };
            assert_eq!((it.is_near(), it.is_over()), (near, over), "{used}");
        }
        assert!(LimitUsage { measure: BudgetMeasure::Tokens, used: i64::MAX, max: i64::MAX }.is_over());
    }

    #[test]
    fn only_what_is_bounded_is_told() {
        let budget = Budget {
            max_cost_micros: Some(2_500_000),
            task_wall: Some(TimeSpan(1_500)),
            ..Budget::default()
        };
        let spent = ResourceUsage { cost_micros: 1_000_001, tokens: 7, attempts: 3 };
        let said: Vec<String> = budget.run_usage(spent, TimeSpan(9)).map(|it| it.to_string()).collect();
        assert_eq!(said, ["1.000001 of 2.50 US dollars"]);
        let said: Vec<String> = budget.task_usage(spent, TimeSpan(1_400)).map(|it| it.to_string()).collect();
        assert_eq!(said, ["1 of 2 s"]);
        assert!(budget.bounds_tasks() && !Budget::default().bounds_tasks());
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
}
