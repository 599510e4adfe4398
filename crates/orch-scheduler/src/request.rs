//! `orch request show`: the response of an earlier request id.

use orch_core::refusal::Refusal;
use orch_core::time::Time;
use orch_store::table::request;

use orch_inbox::{Error, Session, token};

/// A request with a known request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedRequest {
    /// The request id.
    pub key: String,
    /// The digest of its command and arguments.
    pub fingerprint: String,
    /// When it was made.
    pub at: Time,
    /// The `data` of its response, as JSON; `None` while its effects are pending.
    pub answer: Option<String>,
}

/// Shows the request with a request id.
///
/// # Errors
/// The request id was not used in the last 30 days.
pub fn show_request(session: &mut Session, key: &str) -> Result<AppliedRequest, Error> {
    session.query(|tx| {
        let found = request::load(tx, &token::digest_request_id(key))?;
        let found = found.ok_or_else(|| Refusal::RequestNotFound { key: key.to_owned() })?;
        let request::RequestReceipt { fingerprint, at, answer, .. } = found;
        let answer = Some(answer).filter(|answer| !answer.is_empty());
        Ok(AppliedRequest { key: key.to_owned(), fingerprint, at, answer })
    })
}
