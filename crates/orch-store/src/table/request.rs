//! Answers to requests that may be repeated.

use orch_core::time::Time;

use super::time;
use crate::{Fault, Transaction};

/// A request that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// A digest of its command and arguments.
    pub fingerprint: String,
    /// When it was applied.
    pub at: Time,
    /// What it was answered with.
    pub answer: String,
}

const LOAD: &str = "SELECT fingerprint, at, answer FROM request WHERE key = $1";
const INSERT: &str = "INSERT INTO request (key, fingerprint, at, answer) VALUES ($1, $2, $3, $4)";
const FORGET: &str =
    "DELETE FROM request WHERE key IN (SELECT key FROM request WHERE at < $1 ORDER BY at LIMIT 100)";

/// Loads a request by the digest of its key.
///
/// # Errors
/// The store failed.
pub fn load(tx: &mut Transaction<'_>, key: &str) -> Result<Option<Request>, Fault> {
    tx.first(LOAD, &[key.into()], |row| {
        Ok(Request { fingerprint: row.text(0)?, at: time(row, 1)?, answer: row.text(2)? })
    })
}

/// Records a request.
///
/// # Errors
/// The store failed.
pub fn insert(tx: &mut Transaction<'_>, key: &str, request: &Request) -> Result<(), Fault> {
    let Request { fingerprint, at, answer } = request;
    tx.run(INSERT, &[key.into(), fingerprint.as_str().into(), at.0.into(), answer.as_str().into()])
        .map(|_| ())
}

/// Forgets some of the requests that were applied before a time.
///
/// # Errors
/// The store failed.
pub fn forget(tx: &mut Transaction<'_>, before: Time) -> Result<(), Fault> {
    tx.run(FORGET, &[before.0.into()]).map(|_| ())
}
