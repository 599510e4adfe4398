//! Enforcing the limits of runs that no worker's usage reaches: wall time, attempts, and limits that were lowered.

use std::collections::BTreeSet;

use orch_core::id::RunId;
use orch_core::run::budget::BudgetMeasure;
use orch_core::run::{Run, RunStatus};
use orch_core::time::Time;
use orch_inbox::{Error, Session};
use orch_scheduler::budget::enforce_run_limits;
use orch_scheduler::operation::tool_transaction;

/// The limits whose approach was looked at already, each with the limit.
#[derive(Debug, Default)]
pub(super) struct BudgetWatch(BTreeSet<(RunId, BudgetMeasure, i64)>);

impl BudgetWatch {
    /// Warns of limits of a run that are nearly used, and pauses it at one that is; returns whether it was paused.
    pub(super) fn enforce_run_budget(
        &mut self,
        session: &mut Session,
        run: &Run,
        now: Time,
    ) -> Result<bool, Error> {
        if run.state.status() != RunStatus::Open {
            return Ok(false);
        }
        let mut is_due = false;
        for limit in run.budget.run_usage(run.spent, now - run.created_at) {
            let is_news = limit.is_near() && self.0.insert((run.id, limit.measure, limit.max));
            is_due |= is_news || limit.is_over();
        }
        if is_due { tool_transaction(session, |work| enforce_run_limits(work, run.id)) } else { Ok(false) }
    }
}
