//! The reserve: what is set aside for each attempt, so that live attempts together stay within a limit of cost.
//!
//! An attempt may start if spent + Σ over live attempts of max(reserve − spent, 0) + its reserve ≤ limit.
//! An attempt whose reserve is not known sets everything aside that is left: it starts only if nothing else of
//! unknown cost is live, and nothing else starts until it has ended and its cost is known.

use std::collections::{BTreeMap, BTreeSet};

use super::budget::{BudgetMeasure, LimitScope, LimitUsage};
use super::{Budget, ResourceUsage, Run};
use crate::id::{Slug, TaskId};
use crate::task::Task;
use crate::time::{Time, TimeSpan};

/// What the attempts of a run have cost so far, as far as reserves depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostReserves {
    /// The live attempts that have not reported: their agent, and their known cost in millionths of a US dollar.
    pub live: Vec<(Slug, i64)>,
    /// The dearest ended attempt of each agent.
    pub dearest: BTreeMap<Slug, i64>,
    /// The number of ended attempts of each agent whose cost is not known.
    pub unknown: BTreeMap<Slug, i64>,
    /// Agents that cost nothing, or whose cost is left out of account.
    pub free: BTreeSet<Slug>,
}

/// What a run's budget depends on before an attempt is dispatched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetFacts {
    /// What is set aside.
    pub reserves: CostReserves,
    /// What ready tasks that were tried before have used, and the wall time of their attempts.
    pub tasks: BTreeMap<TaskId, (ResourceUsage, TimeSpan)>,
}

impl BudgetFacts {
    /// Returns why the budget allows no further attempt at a task by an agent, if it does not.
    ///
    /// Without an agent only what is the same for every agent is looked at.
    #[must_use]
    pub fn find_shortage(
        &self,
        run: &Run,
        task: &Task,
        agent: Option<&Slug>,
        now: Time,
    ) -> Option<BudgetShortage> {
        let budget = &run.budget;
        let mut of_run = budget.run_usage(run.spent, now - run.created_at);
        let mut reached = of_run.find(|limit| limit.is_over());
        if let Some((spent, wall)) = self.tasks.get(&task.id).filter(|_| reached.is_none()) {
            reached = budget.task.usage(LimitScope::Task, *spent, *wall).find(|limit| limit.is_over());
        }
        match reached {
            Some(limit) => Some(BudgetShortage::of_reached_limit(limit)),
            None => self.reserves.check_reserve(budget, run.spent.known_cost(), agent).err(),
        }
    }
}

/// Why a budget allows no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetShortage {
    /// The limit.
    pub limit: LimitUsage,
    /// For a limit of cost: what is neither spent nor set aside, in millionths of a US dollar.
    pub left_micros: Option<i64>,
    /// What would be set aside for the attempt, in millionths of a US dollar; `None` where that is not known.
    pub reserve_micros: Option<i64>,
    /// Whether live attempts hold what is missing, so that it may become free when they end.
    pub is_held: bool,
}

impl BudgetShortage {
    /// Returns the shortage of a limit that is reached.
    #[must_use]
    pub fn of_reached_limit(limit: LimitUsage) -> Self {
        let left_micros = (limit.measure == BudgetMeasure::Cost).then(|| limit.left());
        Self { limit, left_micros, reserve_micros: None, is_held: false }
    }
}

impl CostReserves {
    /// Checks whether the run's limit of cost allows one more attempt of an agent.
    ///
    /// # Errors
    /// It does not: too little is neither spent nor set aside.
    pub fn check_reserve(
        &self,
        budget: &Budget,
        spent: i64,
        agent: Option<&Slug>,
    ) -> Result<(), BudgetShortage> {
        let Some(max) = budget.run.cost_micros else { return Ok(()) };
        let reserve = match agent {
            Some(agent) => self.reserve_of(budget, agent),
            None => budget.fixed_reserve(),
        };
        if reserve == Some(0) {
            return Ok(());
        }
        let left = self.left(budget, spent, max);
        let fits = match reserve {
            Some(reserve) => left >= reserve,
            None => left > 0,
        };
        if fits {
            return Ok(());
        }
        let limit = LimitUsage { scope: LimitScope::Run, measure: BudgetMeasure::Cost, used: spent, max };
        let missing = reserve.unwrap_or(1);
        Err(BudgetShortage {
            limit,
            left_micros: Some(left),
            reserve_micros: reserve,
            is_held: max.saturating_sub(spent) >= missing && !self.live.is_empty(),
        })
    }

    /// Returns what one live attempt may still spend under the run's limit of cost: what the others leave, and at
    /// least the rest of what is set aside for it.
    #[must_use]
    pub fn allowance(&self, budget: &Budget, spent: i64, own: usize) -> Option<i64> {
        let max = budget.run.cost_micros?;
        let mut others = self.clone();
        let own = (own < others.live.len()).then(|| others.live.remove(own));
        let set_aside =
            own.and_then(|(agent, used)| Some(self.reserve_of(budget, &agent)?.saturating_sub(used)));
        Some(
            others.left(budget, spent, max).max(set_aside.unwrap_or(0)).min(max.saturating_sub(spent)).max(0),
        )
    }

    /// Adds an attempt that starts now.
    pub fn add_live(&mut self, agent: &Slug) {
        self.live.push((agent.clone(), 0));
    }

    /// Returns what is set aside for an attempt; `None` where that is not known.
    fn reserve_of(&self, budget: &Budget, agent: &Slug) -> Option<i64> {
        if self.free.contains(agent) {
            return Some(0);
        }
        budget.fixed_reserve().or_else(|| self.dearest.get(agent).copied())
    }

    /// Returns what is neither spent nor set aside for live attempts.
    fn left(&self, budget: &Budget, spent: i64, max: i64) -> i64 {
        let mut left = i128::from(max) - i128::from(spent);
        for (agent, used) in &self.live {
            match self.reserve_of(budget, agent) {
                Some(reserve) => left -= i128::from(reserve.saturating_sub(*used).max(0)),
                None => return 0,
            }
        }
        // What an ended attempt of unknown cost has cost is taken to be what was set aside for it.
        let fixed = budget.fixed_reserve().unwrap_or(0);
        let unknown = self.unknown.iter().filter(|(agent, _)| !self.free.contains(*agent));
        left -= unknown.map(|(_, count)| i128::from(*count) * i128::from(fixed)).sum::<i128>();
        i64::try_from(left.max(0)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::UsageLimits;
    use super::*;

    fn budget(limit: i64, reserve: Option<i64>, attempt: Option<i64>) -> Budget {
        let cost = |cost_micros| UsageLimits { cost_micros, ..UsageLimits::default() };
        Budget {
            run: cost(Some(limit)),
            attempt: cost(attempt),
            attempt_reserve_micros: reserve,
            ..Budget::default()
        }
    }

    fn slug(name: &str) -> Slug {
        Slug::from_stored(name.to_owned())
    }

    fn reserves(live: &[(&str, i64)], dearest: &[(&str, i64)]) -> CostReserves {
        CostReserves {
            live: live.iter().map(|(name, spent)| (slug(name), *spent)).collect(),
            dearest: dearest.iter().map(|(name, cost)| (slug(name), *cost)).collect(),
            ..CostReserves::default()
        }
    }

    /// Checks whether one more attempt of `a` may start; otherwise what is left and what it needs.
    fn check(budget: &Budget, spent: i64, found: &CostReserves) -> Result<(), (Option<i64>, Option<i64>)> {
        let checked = found.check_reserve(budget, spent, Some(&slug("a")));
        checked.map_err(|short| (short.left_micros, short.reserve_micros))
    }

    #[test]
    fn spent_and_set_aside_together_stay_within_the_limit() {
        let fixed = budget(100, Some(40), None);
        assert_eq!(check(&fixed, 0, &reserves(&[], &[])), Ok(()));
        assert_eq!(check(&fixed, 20, &reserves(&[("b", 0)], &[])), Ok(()));
        assert_eq!(check(&fixed, 21, &reserves(&[("b", 0)], &[])), Err((Some(39), Some(40))));
        // What a live attempt has spent is part of its reserve.
        assert_eq!(check(&fixed, 30, &reserves(&[("b", 30)], &[])), Ok(()));
        assert_eq!(check(&fixed, 60, &reserves(&[("b", 60)], &[])), Ok(()));
        assert_eq!(check(&fixed, 61, &reserves(&[("b", 61)], &[])), Err((Some(39), Some(40))));
        // Without a limit there is nothing to check.
        assert_eq!(check(&Budget::default(), 1_000, &reserves(&[("a", 0)], &[])), Ok(()));
    }

    #[test]
    fn the_reserve_is_given_or_the_attempts_limit_or_the_dearest_attempt() {
        let found = reserves(&[], &[("a", 30), ("b", 90)]);
        let of_a = |reserve, attempt| found.reserve_of(&budget(100, reserve, attempt), &slug("a"));
        assert_eq!(of_a(Some(10), Some(20)), Some(10));
        assert_eq!(of_a(None, Some(20)), Some(20));
        assert_eq!(of_a(None, None), Some(30));
        assert_eq!(found.reserve_of(&budget(100, None, None), &slug("c")), None);
    }

    #[test]
    fn an_attempt_of_unknown_cost_runs_alone() {
        let unknown = budget(100, None, None);
        assert_eq!(check(&unknown, 99, &reserves(&[], &[])), Ok(()));
        assert_eq!(check(&unknown, 0, &reserves(&[("a", 5)], &[])), Err((Some(0), None)));
        let shortage = reserves(&[("a", 5)], &[]).check_reserve(&unknown, 5, Some(&slug("a"))).unwrap_err();
        assert!(shortage.is_held);
        // Nothing else starts meanwhile, unless it is free.
        let mut found = reserves(&[("b", 5)], &[("a", 10)]);
        assert_eq!(check(&unknown, 5, &found), Err((Some(0), Some(10))));
        found.free.insert(slug("a"));
        assert_eq!(check(&unknown, 5, &found), Ok(()));
        found.free.insert(slug("b"));
        assert_eq!(found.check_reserve(&unknown, 5, Some(&slug("c"))), Ok(()));
    }

    #[test]
    fn an_ended_attempt_of_unknown_cost_counts_as_its_reserve() {
        let mut found = reserves(&[], &[]);
        found.unknown.insert(slug("a"), 2);
        assert_eq!(check(&budget(100, Some(40), None), 0, &found), Err((Some(20), Some(40))));
        assert_eq!(check(&budget(100, Some(30), None), 0, &found), Ok(()));
        assert_eq!(check(&budget(100, None, None), 0, &found), Ok(()));
    }

    #[test]
    fn an_attempt_may_spend_what_the_others_leave() {
        let found = reserves(&[("a", 5), ("b", 10)], &[]);
        assert_eq!(found.allowance(&budget(100, Some(40), None), 15, 0), Some(55));
        assert_eq!(found.allowance(&budget(100, Some(40), None), 15, 1), Some(50));
        assert_eq!(found.allowance(&Budget::default(), 15, 0), None);
        // Beside one of unknown cost it has what was set aside for it.
        let found = reserves(&[("a", 5), ("b", 10)], &[("a", 20)]);
        assert_eq!(found.allowance(&budget(100, None, None), 15, 0), Some(15));
        assert_eq!(found.allowance(&budget(100, None, None), 95, 1), Some(0));
    }
}
