//! Requests whose effects lie outside the store: the intent is one transaction, the effects follow, the answer is the
//! last transaction. Repeated with its request id, such a request goes on where it was cut off.

use orch_core::id::Slug;
use orch_core::refusal::TreeRefusal;
use orch_store::driver::Durability;
use orch_store::table::{agent, request};
use orch_store::{Ending, Transaction};

use super::stage::Stage;
use orch_inbox::session::{Earlier, earlier};
use orch_inbox::{Answer, Error, Receipt, Session, token};

/// What the first transaction came to.
enum Begun<T, S> {
    /// The change was made, and nothing is left to be done outside the store.
    Whole(T),
    Now(S),
    Before(S),
    Answered(String),
}

/// Decides by `begin`, which names what the rest is about, and then does the rest by `finish`.
///
/// Where `whole` finds that nothing is left to be done, the answer is recorded with the decision itself.
/// `finish` must be harmless when some of it was done before. When it fails nothing is recorded for the request id.
pub(crate) fn change<T, S: Subject>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
    who: &Slug,
    begin: impl FnMut(&mut Stage<'_, '_>) -> Result<S, Error>,
    whole: impl FnMut(&mut Transaction<'_>, &S) -> Result<Option<T>, Error>,
    finish: impl FnOnce(&mut Session, S) -> Result<T, Error>,
) -> Result<Answer<T>, Error> {
    change_by(session, receipt, Some(who), begin, whole, finish)
}

/// The same where it may be nobody's decision but the tool's own.
pub(crate) fn change_by<T, S: Subject>(
    session: &mut Session,
    receipt: Option<&Receipt<'_, T>>,
    who: Option<&Slug>,
    mut begin: impl FnMut(&mut Stage<'_, '_>) -> Result<S, Error>,
    mut whole: impl FnMut(&mut Transaction<'_>, &S) -> Result<Option<T>, Error>,
    finish: impl FnOnce(&mut Session, S) -> Result<T, Error>,
) -> Result<Answer<T>, Error> {
    let begun = session.write(Durability::Power, |tx, now| {
        if let Some(receipt) = receipt {
            match earlier(tx, receipt, now)? {
                Earlier::Nothing => {}
                Earlier::Answered(answer) => return Ok(Ending::Keep(Begun::Answered(answer))),
                Earlier::UnderWay(written) => return begun_before(written),
            }
        }
        if let Some(who) = who {
            agent::see(tx, who, now)?;
        }
        let mut stage = Stage::fresh(tx, now, who)?;
        let subject = begin(&mut stage)?;
        stage.close()?;
        let outcome = whole(tx, &subject)?;
        if let Some(receipt) = receipt {
            let row = request::Request {
                fingerprint: receipt.fingerprint.to_owned(),
                at: now,
                answer: outcome.as_ref().map_or_else(String::new, |outcome| (receipt.encode)(outcome)),
                subject: outcome.is_none().then(|| subject.write()),
            };
            request::insert(tx, &token::request_digest(receipt.key), &row)?;
        }
        Ok(Ending::Keep(match outcome {
            Some(outcome) => Begun::Whole(outcome),
            None => Begun::Now(subject),
        }))
    })?;
    let (outcome, is_repeat) = match begun {
        Begun::Answered(answer) => return Ok(Answer::Replayed(answer)),
        Begun::Whole(outcome) => return Ok(Answer::Fresh(outcome)),
        Begun::Now(subject) => (finish(session, subject), false),
        Begun::Before(subject) => (finish(session, subject), true),
    };
    let Some(receipt) = receipt else { return outcome.map(Answer::Fresh) };
    let key = token::request_digest(receipt.key);
    let answer = outcome.as_ref().ok().map(|outcome| (receipt.encode)(outcome));
    // Whoever repeats a request while it is under way answers what is recorded, whichever process came first.
    let recorded = session.write(Durability::Power, |tx, _| {
        match &answer {
            Some(answer) => request::answer(tx, &key, answer)?,
            None => request::withdraw(tx, &key)?,
        }
        Ok(Ending::Keep(request::load(tx, &key)?.map(|request| request.answer)))
    })?;
    match (outcome, recorded.filter(|answer| !answer.is_empty()).or(answer)) {
        (Ok(_), Some(answer)) if is_repeat => Ok(Answer::Replayed(answer)),
        (outcome, _) => outcome.map(Answer::Fresh),
    }
}

/// What a request that was cut off is about.
fn begun_before<T, S: Subject>(written: String) -> Result<Ending<Begun<T, S>, Error>, Error> {
    match S::read(&written) {
        Some(subject) => Ok(Ending::Keep(Begun::Before(subject))),
        None => Err(orch_store::Fault::Value { table: "request", value: written }.into()),
    }
}

/// Whether a request is made for the first time, as far as its id tells: what costs something is looked up only then.
pub(crate) fn is_new<T>(session: &mut Session, receipt: Option<&Receipt<'_, T>>) -> Result<bool, Error> {
    let Some(receipt) = receipt else { return Ok(true) };
    let key = token::request_digest(receipt.key);
    session.read(|tx, _| Ok(request::load(tx, &key)?.is_none()))
}

/// The error of a request that was under way when it was looked at, for which nothing was looked up therefore, and that
/// came to nothing before it could be answered: repeated once more it is a new one.
pub(crate) fn came_to_nothing() -> Error {
    let what = "Going on with a request that has just come to nothing in another process".to_owned();
    TreeRefusal::NotSupported { what }.into()
}

/// What a request is about, in a form that outlives the process.
pub(crate) trait Subject: Sized {
    /// As text.
    fn write(&self) -> String;
    /// Back from text.
    fn read(text: &str) -> Option<Self>;
}

impl Subject for Vec<i64> {
    fn write(&self) -> String {
        serde_json::Value::from(self.clone()).to_string()
    }

    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl Subject for i64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
