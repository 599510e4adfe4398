//! `inbox claim` within the limits of runs and tasks: a limit holds for work that is claimed by hand as for workers.

use orch_core::refusal::{NotReadyReason, Refusal};
use orch_core::run::Budget;
use orch_core::run::budget::{LIMIT_REASON, LimitScope, LimitUsage};
use orch_core::run::reserve::BudgetShortage;
use orch_core::thread::AttemptReference;
use orch_inbox::claim::{ClaimOutcome, ClaimRequest, claim_with_hook};
use orch_inbox::{Error, Receipt, Response, Session};

use crate::budget::{enforce_run_limits, find_reached_limit};
use crate::lookup;
use crate::operation::tool_transaction;
use crate::recall::recall_task;

/// Claims work whose run and task are within their limits.
///
/// At a limit of the run it is paused, and at one of the task its attempt is recalled, as when a worker reaches them.
/// A claim that names no thread then takes the next work of the queue.
///
/// # Errors
/// `TaskNotReady` with the reason `budget`, and the errors of [`orch_inbox::claim::claim_thread`].
pub fn claim_within_limits(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
) -> Result<Response<ClaimOutcome>, Error> {
    let mut refused: Option<Error> = None;
    loop {
        let mut reached = None;
        let claimed = claim_with_hook(session, receipt, request, &mut |tx, claimed, now| {
            reached = None;
            let owner = claimed.thread.thread.head.reference.filter(|_| !request.again);
            let Some(owner) = owner else { return Ok(()) };
            let run = lookup::load_run(tx, owner.run)?;
            if run.budget == Budget::default() {
                return Ok(());
            }
            let Some(limit) = find_reached_limit(tx, &run, owner.task, now)? else { return Ok(()) };
            reached = Some((owner, limit));
            let task = lookup::load_task(tx, owner.task)?.name;
            let reasons = vec![NotReadyReason::Budget(BudgetShortage::of_reached_limit(limit))];
            Err(Refusal::TaskNotReady { task, reasons }.into())
        });
        match (claimed, reached) {
            (Err(error @ Error::Refused(Refusal::TaskNotReady { .. })), Some((owner, limit))) => {
                end_at_limit(session, owner, limit)?;
                if request.thread.is_some() {
                    return Err(error);
                }
                refused.get_or_insert(error);
            }
            (Err(Error::Refused(Refusal::InboxEmpty { .. })), _) if refused.is_some() => {
                return Err(refused.expect("it was looked at"));
            }
            (claimed, _) => return claimed,
        }
    }
}

/// Ends what a reached limit ends.
fn end_at_limit(session: &mut Session, owner: AttemptReference, limit: LimitUsage) -> Result<(), Error> {
    tool_transaction(session, |unit| {
        if limit.scope == LimitScope::Run {
            return enforce_run_limits(unit, owner.run).map(drop);
        }
        let task = unit.load_task(owner.task)?;
        if task.state.is_live() && task.attempt.is_some_and(|last| last.id == owner.attempt) {
            let reason = format!("{LIMIT_REASON}the {} has used {limit}", limit.scope.name());
            recall_task(unit, &task, Some(&reason))?;
        }
        Ok(())
    })
}
