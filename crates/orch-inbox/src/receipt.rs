//! Repeating a request: its response is recorded with the change and returned again for the same request id.
//!
//! A request that has effects outside the store records its intent first. Repeated, it resumes from that intent.

use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::store_clock::ClockReading;
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::WriteDurability;
use orch_store::table::request;
use orch_store::{Transaction, TxEnd};

use crate::session::read_time;
use crate::{Error, Session, token};

/// What makes a request repeatable: its id, its fingerprint and the encoding of its response.
#[derive(Clone, Copy)]
pub struct Receipt<'a, T> {
    /// The caller's request id.
    pub key: &'a str,
    /// A digest of the command and its arguments, after defaults and file contents.
    pub fingerprint: &'a str,
    /// Encodes the outcome as the response's `data`, which is what is recorded.
    pub encode: &'a dyn Fn(&T) -> String,
}

/// The outcome of a request, or the response that was recorded for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<T> {
    /// The change was made now.
    Fresh(T),
    /// The change was made before; this is the `data` of the recorded response, as JSON.
    Replayed(String),
}

/// The outcome of a request's first transaction.
pub enum RequestDecision<T, S> {
    /// Nothing remains to be done outside the store.
    Complete(T),
    /// The effects of this intent remain to be performed.
    Pending(S),
}

/// A request after its first transaction.
pub enum BegunRequest<T, S> {
    /// It has its response.
    Complete(Response<T>),
    /// Its effects remain to be performed.
    Pending {
        /// What they are about.
        intent: S,
        /// Whether an earlier process began the request.
        is_resumed: bool,
    },
}

/// What a request is about, in a form that outlives the process.
pub trait RequestIntent: Sized {
    /// Encodes the intent as text.
    fn encode(&self) -> String;
    /// Decodes an intent from its text.
    fn decode(text: &str) -> Option<Self>;
}

/// The intent of a request without effects outside the store.
impl RequestIntent for () {
    fn encode(&self) -> String {
        "null".to_owned()
    }

    fn decode(text: &str) -> Option<Self> {
        (text == "null").then_some(())
    }
}

impl RequestIntent for Vec<i64> {
    fn encode(&self) -> String {
        serde_json::Value::from(self.clone()).to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl RequestIntent for i64 {
    fn encode(&self) -> String {
        self.to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Session {
    /// Runs a change in one transaction, at most once per request id.
    pub fn write_idempotent<T>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        mut work: impl FnMut(&mut Transaction<'_>, Time) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<Response<T>, Error> {
        self.write_idempotent_after(receipt, read_time, |tx, now, ()| work(tx, now))
    }

    /// Runs a change whose first statement reads the time together with something else, at most once per request id.
    pub(crate) fn write_idempotent_after<O, T>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        open: impl FnMut(&mut Transaction<'_>, &ClockReading) -> Result<(Time, O), Error>,
        mut work: impl FnMut(&mut Transaction<'_>, Time, O) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<Response<T>, Error> {
        let begun = self.begin_request_after(receipt, open, |tx, now, opened| {
            Ok(map_end(work(tx, now, opened)?, RequestDecision::<T, ()>::Complete))
        })?;
        match begun {
            BegunRequest::Complete(response) => Ok(response),
            BegunRequest::Pending { intent: (), .. } => Err(invalid_intent("null")),
        }
    }

    /// Records an outcome that was reached outside of any transaction, at most once per request id.
    pub fn record_outcome<T: Clone>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        outcome: T,
    ) -> Result<Response<T>, Error> {
        match receipt {
            None => Ok(Response::Fresh(outcome)),
            Some(_) => self.write_idempotent(receipt, |_, _| Ok(TxEnd::Commit(outcome.clone()))),
        }
    }

    /// Runs the first transaction of a request, unless the request id was used before.
    ///
    /// # Errors
    /// `RequestConflict`: the request id was used with other arguments.
    pub fn begin_request<T, S: RequestIntent>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        mut decide: impl FnMut(&mut Transaction<'_>, Time) -> Result<TxEnd<RequestDecision<T, S>, Error>, Error>,
    ) -> Result<BegunRequest<T, S>, Error> {
        self.begin_request_after(receipt, read_time, |tx, now, ()| decide(tx, now))
    }

    fn begin_request_after<O, T, S: RequestIntent>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        open: impl FnMut(&mut Transaction<'_>, &ClockReading) -> Result<(Time, O), Error>,
        mut decide: impl FnMut(
            &mut Transaction<'_>,
            Time,
            O,
        ) -> Result<TxEnd<RequestDecision<T, S>, Error>, Error>,
    ) -> Result<BegunRequest<T, S>, Error> {
        self.write_after(WriteDurability::Power, open, |tx, now, opened| {
            if let Some(receipt) = receipt
                && let Some(prior) = find_prior_request(tx, receipt, now)?
            {
                return Ok(TxEnd::Commit(prior));
            }
            let end = decide(tx, now, opened)?;
            if let (Some(receipt), TxEnd::Commit(decision)) = (receipt, &end) {
                insert_receipt(tx, receipt, decision, now)?;
            }
            Ok(map_end(end, |decision| match decision {
                RequestDecision::Complete(outcome) => BegunRequest::Complete(Response::Fresh(outcome)),
                RequestDecision::Pending(intent) => BegunRequest::Pending { intent, is_resumed: false },
            }))
        })
    }

    /// Records the outcome of a request whose effects were performed; a failed request may be made again.
    pub fn finish_request<T>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        outcome: Result<T, Error>,
        is_resumed: bool,
    ) -> Result<Response<T>, Error> {
        let Some(receipt) = receipt else { return outcome.map(Response::Fresh) };
        let key = token::digest_request_id(receipt.key);
        let answer = outcome.as_ref().ok().map(|outcome| (receipt.encode)(outcome));
        // Several processes may perform one request: every response is the one that was recorded first.
        let recorded = self.write(WriteDurability::Power, |tx, _| {
            match &answer {
                Some(answer) => request::record_answer(tx, &key, answer)?,
                None => request::delete_unanswered(tx, &key)?,
            }
            Ok(TxEnd::Commit(request::load(tx, &key)?.map(|request| request.answer)))
        })?;
        match (outcome, recorded.filter(|answer| !answer.is_empty()).or(answer)) {
            (Ok(_), Some(answer)) if is_resumed => Ok(Response::Replayed(answer)),
            (outcome, _) => outcome.map(Response::Fresh),
        }
    }

    /// Returns whether a request id is unused, so that expensive lookups are made for new requests only.
    pub fn is_new_request<T>(&mut self, receipt: Option<&Receipt<'_, T>>) -> Result<bool, Error> {
        let Some(receipt) = receipt else { return Ok(true) };
        let key = token::digest_request_id(receipt.key);
        self.query(|tx| Ok(request::load(tx, &key)?.is_none()))
    }
}

fn map_end<T, U>(end: TxEnd<T, Error>, map: impl FnOnce(T) -> U) -> TxEnd<U, Error> {
    match end {
        TxEnd::Commit(value) => TxEnd::Commit(map(value)),
        TxEnd::CommitThenFail(error) => TxEnd::CommitThenFail(error),
        TxEnd::Rollback(value) => TxEnd::Rollback(map(value)),
    }
}

/// Looks a request up by its id, after deleting expired receipts.
fn find_prior_request<T, S: RequestIntent>(
    tx: &mut Transaction<'_>,
    receipt: &Receipt<'_, T>,
    now: Time,
) -> Result<Option<BegunRequest<T, S>>, Error> {
    request::delete_expired(tx, now + TimeSpan(-limit::RECEIPT_KEPT.0))?;
    let Some(found) = request::load(tx, &token::digest_request_id(receipt.key))? else { return Ok(None) };
    if found.fingerprint != receipt.fingerprint {
        return Err(Refusal::RequestConflict { key: receipt.key.to_owned() }.into());
    }
    match found.subject.filter(|_| found.answer.is_empty()) {
        Some(written) => {
            let intent = S::decode(&written).ok_or_else(|| invalid_intent(&written))?;
            Ok(Some(BegunRequest::Pending { intent, is_resumed: true }))
        }
        None => Ok(Some(BegunRequest::Complete(Response::Replayed(found.answer)))),
    }
}

fn insert_receipt<T, S: RequestIntent>(
    tx: &mut Transaction<'_>,
    receipt: &Receipt<'_, T>,
    decision: &RequestDecision<T, S>,
    now: Time,
) -> Result<(), Error> {
    let (answer, subject) = match decision {
        RequestDecision::Complete(outcome) => ((receipt.encode)(outcome), None),
        RequestDecision::Pending(intent) => (String::new(), Some(intent.encode())),
    };
    let fingerprint = receipt.fingerprint.to_owned();
    let row = request::RequestReceipt { fingerprint, at: now, answer, subject };
    Ok(request::insert(tx, &token::digest_request_id(receipt.key), &row)?)
}

fn invalid_intent(written: &str) -> Error {
    orch_store::Fault::Value { table: "request", value: written.to_owned() }.into()
}
