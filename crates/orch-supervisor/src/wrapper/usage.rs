//! What a start of a worker has used, and how much of it the store knows.

use std::time::Duration;

use orch_core::run::usage::DollarAmount;
use orch_core::run::{CostSource, ResourceUsage, TokenUsage};
use orch_core::time::TimeSpan;
use orch_profile::{ClientSummary, Profile, SessionTotals, TokenCounts, UsdMicros};
use orch_scheduler::budget::{UsageRecord, load_allowance};
use orch_store::table::thread;
use orch_store::table::usage::{self, UsageSum};

use super::claim::ClaimedWork;
use super::config::WrapperConfig;
use orch_inbox::Error;

/// The usage of one start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StartUsage {
    tokens: Option<TokenUsage>,
    cost_micros: Option<i64>,
    source: Option<CostSource>,
    running: TimeSpan,
}

impl StartUsage {
    /// Nothing is known yet.
    pub(super) const UNKNOWN: Self =
        Self { tokens: None, cost_micros: None, source: None, running: TimeSpan(0) };

    /// Returns what a start has used so far.
    pub(super) fn of_start(summary: Option<&ClientSummary>, is_free: bool, running: Duration) -> Self {
        let running = TimeSpan(i64::try_from(running.as_millis()).unwrap_or(i64::MAX));
        if is_free {
            let source = Some(CostSource::Computed);
            return Self { tokens: Some(TokenUsage::default()), cost_micros: Some(0), source, running };
        }
        let Some(summary) = summary else { return Self { running, ..Self::UNKNOWN } };
        let source = if summary.is_cost_computed { CostSource::Computed } else { CostSource::Reported };
        Self {
            tokens: summary.tokens.map(token_usage),
            cost_micros: summary.cost.map(|cost| i64::try_from(cost.0).unwrap_or(i64::MAX)),
            source: summary.cost.map(|_| source),
            running,
        }
    }

    /// Returns what was used since an earlier moment of the same start; a corrected number may be smaller.
    pub(super) fn since(self, before: Self) -> UsageSum {
        let tokens = self.tokens.map(|tokens| tokens.minus(before.tokens.unwrap_or_default()));
        let cost = self.cost_micros.map(|cost| cost.saturating_sub(before.cost_micros.unwrap_or(0)));
        UsageSum {
            spent: ResourceUsage { cost_micros: cost, tokens, attempts: 0 },
            source: self.source.unwrap_or(CostSource::Unknown),
            wall: TimeSpan(self.running.0.saturating_sub(before.running.0)),
        }
    }

    /// Whether the known costs or tokens differ.
    pub(super) fn has_other_amounts(self, other: Self) -> bool {
        (self.tokens, self.cost_micros) != (other.tokens, other.cost_micros)
    }
}

fn token_usage(counts: TokenCounts) -> TokenUsage {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    TokenUsage {
        input: number(counts.input),
        cached_input: number(counts.cached_input),
        output: number(counts.output),
    }
}

impl ClaimedWork {
    /// Returns the record of what was used; `None` for work that no scheduler sent.
    pub(super) fn usage_record(&self, more: UsageSum, has_ended: bool) -> Option<UsageRecord<'_>> {
        Some(UsageRecord {
            attempt: self.work.attempt.as_ref()?,
            profile: self.row.profile.as_ref(),
            session: self.row.session.as_deref(),
            more,
            has_ended,
        })
    }
}

/// What a start needs to know of earlier usage.
#[derive(Clone, Debug, Default)]
pub(super) struct StartFacts {
    /// What the session used in earlier starts.
    pub before: SessionTotals,
    /// What the attempt may still cost.
    pub budget_usd: Option<String>,
}

impl StartFacts {
    /// Loads the facts that a start depends on: those of a session that is resumed, and the budget where the command names it.
    pub(super) fn load(
        config: &WrapperConfig<'_>,
        work: &ClaimedWork,
        profile: &Profile,
        session: Option<&str>,
    ) -> Result<Self, Error> {
        let takes_budget = profile.takes_budget();
        if session.is_none() && !takes_budget {
            return Ok(Self::default());
        }
        let (profile, id) = (&profile.name, work.thread());
        (config.open)()?.read(|tx, now| {
            let mut facts = Self::default();
            if let Some(session) = session {
                let used = usage::load_session(tx, profile, session)?;
                let count = |number: i64| u64::try_from(number).unwrap_or(0);
                let tokens = used.tokens.unwrap_or_default();
                facts.before = SessionTotals {
                    tokens: TokenCounts {
                        input: count(tokens.input),
                        cached_input: count(tokens.cached_input),
                        output: count(tokens.output),
                    },
                    cost: UsdMicros(count(used.known_cost())),
                };
            }
            if takes_budget
                && let Some(reference) = thread::load(tx, id)?.and_then(|thread| thread.head.reference)
            {
                let allowance = load_allowance(tx, id, reference, now)?;
                // An attempt that was started may spend something.
                facts.budget_usd = allowance.map(|micros| DollarAmount(micros.max(1)).to_string());
            }
            Ok(facts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_not_counted_again() {
        let summary = |cost: u64, tokens: Option<u64>, is_cost_computed| ClientSummary {
            cost: Some(UsdMicros(cost)),
            tokens: tokens.map(|input| TokenCounts { input, cached_input: 0, output: 1 }),
            is_cost_computed,
            ..ClientSummary::default()
        };
        let at = |summary: &ClientSummary, seconds| {
            StartUsage::of_start(Some(summary), false, Duration::from_secs(seconds))
        };
        let first = at(&summary(5, Some(9), true), 2);
        let sum = first.since(StartUsage::UNKNOWN);
        assert_eq!(
            (sum.spent.cost_micros, sum.spent.known_tokens(), sum.wall),
            (Some(5), 10, TimeSpan(2_000))
        );
        assert_eq!(sum.source, CostSource::Computed);
        let second = at(&summary(3, Some(12), false), 5);
        assert!(
            second.has_other_amounts(first) && !second.has_other_amounts(at(&summary(3, Some(12), true), 9))
        );
        let sum = second.since(first);
        assert_eq!(
            (sum.spent.cost_micros, sum.spent.known_tokens(), sum.wall),
            (Some(-2), 3, TimeSpan(3_000))
        );
        assert_eq!(sum.source, CostSource::Reported);
        // What is unknown stays unknown, and what is free is known.
        let unknown = StartUsage::of_start(None, false, Duration::ZERO).since(StartUsage::UNKNOWN);
        assert_eq!((unknown.spent.cost_micros, unknown.source), (None, CostSource::Unknown));
        let free = StartUsage::of_start(None, true, Duration::ZERO).since(StartUsage::UNKNOWN);
        assert_eq!((free.spent.cost_micros, free.spent.known_tokens()), (Some(0), 0));
    }
}
