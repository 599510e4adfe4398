//! Receipts of requests, for idempotent repeats.

use orch_core::time::Time;

use super::time_column;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// The receipt of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestReceipt {
    /// A digest of its command and arguments.
    pub fingerprint: String,
    /// When the request was applied.
    pub at: Time,
    /// The response; empty while the request is in progress.
    pub answer: String,
    /// The subject of a request of several transactions, for resuming it.
    pub subject: Option<String>,
}

statements! {
    const LOAD = "SELECT fingerprint, at, answer, subject FROM request WHERE key = $1";
    const INSERT =
        "INSERT INTO request (key, fingerprint, at, answer, subject) VALUES ($1, $2, $3, $4, $5)";
    const ANSWER = "UPDATE request SET answer = $2 WHERE key = $1 AND answer = ''";
    const DROP = "DELETE FROM request WHERE key = $1 AND answer = ''";
    const FORGET =
        "DELETE FROM request WHERE key IN (SELECT key FROM request WHERE at < $1 ORDER BY at LIMIT 100)";
}

/// Loads a request by the digest of its key.
pub fn load(tx: &mut Transaction<'_>, key: &str) -> Result<Option<RequestReceipt>, Fault> {
    tx.query_first(LOAD, &[key.into()], |row| {
        Ok(RequestReceipt {
            fingerprint: row.text(0)?,
            at: time_column(row, 1)?,
            answer: row.text(2)?,
            subject: row.text_or_null(3)?,
        })
    })
}

/// Records a request.
pub fn insert(tx: &mut Transaction<'_>, key: &str, request: &RequestReceipt) -> Result<(), Fault> {
    let RequestReceipt { fingerprint, at, answer, subject } = request;
    tx.execute(
        INSERT,
        &[
            key.into(),
            fingerprint.as_str().into(),
            at.0.into(),
            answer.as_str().into(),
            subject.as_deref().into(),
        ],
    )
    .map(|_| ())
}

/// Deletes at most 100 of the receipts from before a time.
pub fn delete_expired(tx: &mut Transaction<'_>, before: Time) -> Result<(), Fault> {
    tx.execute(FORGET, &[before.0.into()]).map(|_| ())
}

/// Records the response of a request in progress; an existing response is kept.
pub fn record_answer(tx: &mut Transaction<'_>, key: &str, answer: &str) -> Result<(), Fault> {
    tx.execute(ANSWER, &[key.into(), answer.into()]).map(|_| ())
}

/// Deletes the receipt of a request that was aborted.
pub fn delete_unanswered(tx: &mut Transaction<'_>, key: &str) -> Result<(), Fault> {
    tx.execute(DROP, &[key.into()]).map(|_| ())
}
