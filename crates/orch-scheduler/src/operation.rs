//! Running an operation: one transaction that decides, followed by effects outside the store where there are any.

use orch_core::id::Slug;
use orch_core::refusal::TreeRefusal;
use orch_store::TxEnd;

use crate::unit_of_work::UnitOfWork;
use orch_inbox::liveness;
use orch_inbox::{BegunRequest, Error, Receipt, RequestDecision, RequestIntent, Response, Session};

/// A request for a change: the agent that makes it, and the receipt that makes it repeatable.
pub struct Operation<'a, T> {
    receipt: Option<&'a Receipt<'a, T>>,
    actor: Option<&'a Slug>,
}

impl<'a, T> Operation<'a, T> {
    /// Creates an operation of a lead.
    pub fn by_lead(receipt: Option<&'a Receipt<'a, T>>, lead: &'a Slug) -> Self {
        Self { receipt, actor: Some(lead) }
    }

    /// Creates an operation of the tool itself.
    pub fn by_tool(receipt: Option<&'a Receipt<'a, T>>) -> Self {
        Self { receipt, actor: None }
    }

    /// Runs a change that has no effects outside the store.
    pub fn run(
        self,
        session: &mut Session,
        mut work: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<T, Error>,
    ) -> Result<Response<T>, Error> {
        self.run_to_end(session, |unit| work(unit).map(TxEnd::Commit))
    }

    /// Runs a change and undoes it again when it is a dry run.
    pub fn run_or_preview(
        self,
        session: &mut Session,
        dry_run: bool,
        mut work: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<T, Error>,
    ) -> Result<Response<T>, Error> {
        self.run_to_end(session, |unit| {
            let outcome = work(unit)?;
            Ok(if dry_run { TxEnd::Rollback(outcome) } else { TxEnd::Commit(outcome) })
        })
    }

    fn run_to_end(
        self,
        session: &mut Session,
        mut work: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<Response<T>, Error> {
        let (mut cancelled, mut has_news) = (Vec::new(), false);
        let response = session.write_idempotent(self.receipt, |tx, now| {
            has_news = tx.timers()?.pending(now).is_pending();
            let mut unit = UnitOfWork::begin_reconciled(tx, now, self.actor)?;
            let end = work(&mut unit)?;
            cancelled = unit.save_and_close()?;
            Ok(end)
        });
        let response = keep_reconciliation(session, has_news, response)?;
        liveness::stop_workers_of(session, &cancelled)?;
        Ok(response)
    }

    /// Runs a change whose effects outside the store are performed after the transaction that decides on them.
    ///
    /// A repeated request resumes from the recorded intent, so `perform` must be idempotent.
    /// When it fails, the request id can be used again.
    pub fn run_with_effects<S: RequestIntent>(
        self,
        session: &mut Session,
        mut decide: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<RequestDecision<T, S>, Error>,
        perform: impl FnOnce(&mut Session, S) -> Result<T, Error>,
    ) -> Result<Response<T>, Error> {
        let (mut cancelled, mut has_news) = (Vec::new(), false);
        let begun = session.begin_request(self.receipt, |tx, now| {
            has_news = tx.timers()?.pending(now).is_pending();
            let mut unit = UnitOfWork::begin_reconciled(tx, now, self.actor)?;
            let decision = decide(&mut unit)?;
            cancelled = unit.save_and_close()?;
            Ok(TxEnd::Commit(decision))
        });
        let begun = keep_reconciliation(session, has_news, begun)?;
        liveness::stop_workers_of(session, &cancelled)?;
        match begun {
            BegunRequest::Complete(response) => Ok(response),
            BegunRequest::Pending { intent, is_resumed } => {
                let outcome = perform(session, intent);
                session.finish_request(self.receipt, outcome, is_resumed)
            }
        }
    }
}

/// Commits what a refused change had reconciled before it was refused, so that what the refusal says stays so.
fn keep_reconciliation<T>(
    session: &mut Session,
    has_news: bool,
    outcome: Result<T, Error>,
) -> Result<T, Error> {
    if has_news && matches!(outcome, Err(Error::Refused(_))) {
        tool_transaction(session, |_| Ok(()))?;
    }
    outcome
}

/// Runs a change of the tool itself, without a request id.
pub fn tool_transaction<T>(
    session: &mut Session,
    work: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<T, Error>,
) -> Result<T, Error> {
    match Operation::by_tool(None).run(session, work)? {
        Response::Fresh(outcome) => Ok(outcome),
        Response::Replayed(_) => unreachable!("an operation without a receipt is never replayed"),
    }
}

/// Returns the error of a resumed request that another process aborted before it was answered.
///
/// Nothing was looked up for it, because it was in progress when this process found it.
/// Repeated again, it is a new request.
pub fn request_aborted_elsewhere() -> Error {
    TreeRefusal::RequestAborted.into()
}
