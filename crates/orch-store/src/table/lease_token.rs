//! Digests of all tokens ever issued, to distinguish late writes from forged ones.

use orch_core::id::{Slug, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::time::Time;

use super::{slug_column, time_or_null};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    const INSERT = "INSERT INTO lease_token (thread_id, token, holder, claimed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (thread_id, token) DO UPDATE SET holder = excluded.holder, claimed_at = excluded.claimed_at";
    const FIRST_CLAIM = "SELECT min(claimed_at) FROM lease_token WHERE thread_id = $1";
    const HOLDER = "SELECT holder FROM lease_token WHERE thread_id = $1 AND token = $2";
}

/// Records an issued token.
pub fn insert(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    token: &TokenDigest,
    holder: &Slug,
    now: Time,
) -> Result<(), Fault> {
    tx.execute(INSERT, &[thread.0.into(), token.0.as_str().into(), holder.as_str().into(), now.0.into()])
        .map(|_| ())
}

/// Returns the holder that a token was issued to, if any.
pub fn find_holder(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    token: &TokenDigest,
) -> Result<Option<Slug>, Fault> {
    tx.query_first(HOLDER, &[thread.0.into(), token.0.as_str().into()], |row| slug_column(row, 0))
}

/// Returns when a thread was claimed first.
pub fn first_claim(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<Option<Time>, Fault> {
    Ok(tx.query_first(FIRST_CLAIM, &[thread.0.into()], |row| time_or_null(row, 0))?.flatten())
}
