//! Answers to requests that may be repeated.

use orch_core::time::Time;

use super::time_column;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// A request that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestReceipt {
    /// A digest of its command and arguments.
    pub fingerprint: String,
    /// When it was applied.
    pub at: Time,
    /// What it was answered with; empty while what it asked for is under way.
    pub answer: String,
    /// What it is about, where it is more than one transaction: enough to go on with it.
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
///
/// # Errors
/// The store failed.
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
///
/// # Errors
/// The store failed.
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

/// Forgets some of the requests that were applied before a time.
///
/// # Errors
/// The store failed.
pub fn delete_expired(tx: &mut Transaction<'_>, before: Time) -> Result<(), Fault> {
    tx.execute(FORGET, &[before.0.into()]).map(|_| ())
}

/// Records the answer of a request that was under way; one that was answered keeps its answer.
///
/// # Errors
/// The store failed.
pub fn record_answer(tx: &mut Transaction<'_>, key: &str, answer: &str) -> Result<(), Fault> {
    tx.execute(ANSWER, &[key.into(), answer.into()]).map(|_| ())
}

/// Forgets a request that was under way and came to nothing.
///
/// # Errors
/// The store failed.
pub fn delete_unanswered(tx: &mut Transaction<'_>, key: &str) -> Result<(), Fault> {
    tx.execute(DROP, &[key.into()]).map(|_| ())
}
