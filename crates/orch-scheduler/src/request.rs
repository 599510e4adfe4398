//! `orch request show`: whether a request id was applied.

use orch_core::refusal::Refusal;
use orch_core::time::Time;
use orch_store::table::request;

use orch_inbox::{Error, Session, token};

/// A request that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedRequest {
    /// The request id.
    pub key: String,
    /// The digest of its command and arguments.
    pub fingerprint: String,
    /// When.
    pub at: Time,
    /// The `data` it was answered with, as JSON; `None` while what it asked for is under way.
    pub answer: Option<String>,
}

/// Looks a request id up.
///
/// # Errors
/// It was not applied (or longer than 30 days ago), or the store failed.
pub fn show_request(session: &mut Session, key: &str) -> Result<AppliedRequest, Error> {
    session.read(|tx, _| {
        let found = request::load(tx, &token::digest_request_id(key))?;
        let found = found.ok_or_else(|| Refusal::RequestNotFound { key: key.to_owned() })?;
        let request::RequestReceipt { fingerprint, at, answer, .. } = found;
        let answer = Some(answer).filter(|answer| !answer.is_empty());
        Ok(AppliedRequest { key: key.to_owned(), fingerprint, at, answer })
    })
}
