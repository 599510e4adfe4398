//! Requests whose effects lie outside the store: the intent is one transaction, the effects follow, the answer is the
//! last transaction. Repeated with its request id, such a request goes on where it was cut off.

use orch_core::id::Slug;
use orch_core::refusal::TreeRefusal;
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, request};
use orch_store::{Transaction, TxEnd};

use super::unit_of_work::UnitOfWork;
use orch_inbox::session::{PriorRequest, find_prior_request};
use orch_inbox::{Error, Receipt, Response, Session, token};

/// What the first transaction came to.
enum IntentOutcome<T, S> {
    /// The change was made, and nothing is left to be done outside the store.
    Complete(T),
    Begun(S),
    Resumed(S),
    Answered(String),
}

/// Decides by `begin`, which names what the rest is about, and then does the rest by `finish`.
///
/// Where `whole` finds that nothing is left to be done, the answer is recorded with the decision itself.
/// `finish` must be harmless when some of it was done before. When it fails nothing is recorded for the request id.
pub(crate) fn run_with_effects<T, S: RequestIntent>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
    who: &Slug,
    begin: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<S, Error>,
    whole: impl FnMut(&mut Transaction<'_>, &S) -> Result<Option<T>, Error>,
    finish: impl FnOnce(&mut Session, S) -> Result<T, Error>,
) -> Result<Response<T>, Error> {
    run_with_effects_as(session, receipt, Some(who), begin, whole, finish)
}

/// The same where it may be nobody's decision but the tool's own.
pub(crate) fn run_with_effects_as<T, S: RequestIntent>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
    who: Option<&Slug>,
    mut begin: impl FnMut(&mut UnitOfWork<'_, '_>) -> Result<S, Error>,
    mut whole: impl FnMut(&mut Transaction<'_>, &S) -> Result<Option<T>, Error>,
    finish: impl FnOnce(&mut Session, S) -> Result<T, Error>,
) -> Result<Response<T>, Error> {
    let begun = session.write(WriteDurability::Power, |tx, now| {
        if let Some(receipt) = receipt {
            match find_prior_request(tx, receipt, now)? {
                PriorRequest::Unseen => {}
                PriorRequest::Answered(answer) => return Ok(TxEnd::Commit(IntentOutcome::Answered(answer))),
                PriorRequest::InProgress(written) => return resume_intent(written),
            }
        }
        if let Some(who) = who {
            agent::record_sighting(tx, who, now)?;
        }
        let mut stage = UnitOfWork::begin_reconciled(tx, now, who)?;
        let subject = begin(&mut stage)?;
        stage.save_and_close()?;
        let outcome = whole(tx, &subject)?;
        if let Some(receipt) = receipt {
            let row = request::RequestReceipt {
                fingerprint: receipt.fingerprint.to_owned(),
                at: now,
                answer: outcome.as_ref().map_or_else(String::new, |outcome| (receipt.encode)(outcome)),
                subject: outcome.is_none().then(|| subject.encode()),
            };
            request::insert(tx, &token::digest_request_id(receipt.key), &row)?;
        }
        Ok(TxEnd::Commit(match outcome {
            Some(outcome) => IntentOutcome::Complete(outcome),
            None => IntentOutcome::Begun(subject),
        }))
    })?;
    let (outcome, is_repeat) = match begun {
        IntentOutcome::Answered(answer) => return Ok(Response::Replayed(answer)),
        IntentOutcome::Complete(outcome) => return Ok(Response::Fresh(outcome)),
        IntentOutcome::Begun(subject) => (finish(session, subject), false),
        IntentOutcome::Resumed(subject) => (finish(session, subject), true),
    };
    let Some(receipt) = receipt else { return outcome.map(Response::Fresh) };
    let key = token::digest_request_id(receipt.key);
    let answer = outcome.as_ref().ok().map(|outcome| (receipt.encode)(outcome));
    // Whoever repeats a request while it is under way answers what is recorded, whichever process came first.
    let recorded = session.write(WriteDurability::Power, |tx, _| {
        match &answer {
            Some(answer) => request::record_answer(tx, &key, answer)?,
            None => request::delete_unanswered(tx, &key)?,
        }
        Ok(TxEnd::Commit(request::load(tx, &key)?.map(|request| request.answer)))
    })?;
    match (outcome, recorded.filter(|answer| !answer.is_empty()).or(answer)) {
        (Ok(_), Some(answer)) if is_repeat => Ok(Response::Replayed(answer)),
        (outcome, _) => outcome.map(Response::Fresh),
    }
}

/// What a request that was cut off is about.
fn resume_intent<T, S: RequestIntent>(written: String) -> Result<TxEnd<IntentOutcome<T, S>, Error>, Error> {
    match S::decode(&written) {
        Some(subject) => Ok(TxEnd::Commit(IntentOutcome::Resumed(subject))),
        None => Err(orch_store::Fault::Value { table: "request", value: written }.into()),
    }
}

/// Whether a request is made for the first time, as far as its id tells: what costs something is looked up only then.
pub(crate) fn is_new_request<T>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
) -> Result<bool, Error> {
    let Some(receipt) = receipt else { return Ok(true) };
    let key = token::digest_request_id(receipt.key);
    session.read(|tx, _| Ok(request::load(tx, &key)?.is_none()))
}

/// The error of a request that was under way when it was looked at, for which nothing was looked up therefore, and that
/// came to nothing before it could be answered: repeated once more it is a new one.
pub(crate) fn request_aborted_elsewhere() -> Error {
    let what = "Going on with a request that has just come to nothing in another process".to_owned();
    TreeRefusal::NotSupported { what }.into()
}

/// What a request is about, in a form that outlives the process.
pub(crate) trait RequestIntent: Sized {
    /// As text.
    fn encode(&self) -> String;
    /// Back from text.
    fn decode(text: &str) -> Option<Self>;
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
