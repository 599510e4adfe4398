//! What threads ask of a worktree before they may be closed as done.

use orch_core::id::{Commit, ThreadId};
use orch_core::thread::condition::{Condition, Found};

use crate::driver::{Row, Value};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    const INSERT = "INSERT INTO thread_condition (thread_id, tree, branch, base_commit, needs_commit) VALUES ($1, $2, $3, $4, $5)";
    const LOAD =
        "SELECT tree, branch, base_commit, needs_commit FROM thread_condition WHERE thread_id = $1";
    const FOUND =
        "SELECT head_commit, changes FROM thread_condition WHERE thread_id = $1 AND head_commit IS NOT NULL";
    const NOTE = "UPDATE thread_condition SET head_commit = $2, changes = $3 WHERE thread_id = $1";
}

fn condition(row: &dyn Row) -> Result<Condition, Fault> {
    Ok(Condition {
        tree: row.text(0)?,
        branch: row.text(1)?,
        base: Commit::stored(row.text(2)?),
        needs_commit: row.int(3)? != 0,
    })
}

/// Attaches a condition to a new thread.
///
/// # Errors
/// The store failed.
pub fn insert(tx: &mut Transaction<'_>, thread: ThreadId, condition: &Condition) -> Result<(), Fault> {
    let values: [Value<'_>; 5] = [
        thread.0.into(),
        condition.tree.as_str().into(),
        condition.branch.as_str().into(),
        condition.base.as_str().into(),
        condition.needs_commit.into(),
    ];
    tx.run(INSERT, &values).map(|_| ())
}

/// What a thread asks for; most ask for nothing.
///
/// # Errors
/// The store failed.
pub fn load(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<Option<Condition>, Fault> {
    tx.first(LOAD, &[thread.0.into()], condition)
}

/// Notes what was found when the thread was closed.
///
/// # Errors
/// The store failed.
pub fn note(tx: &mut Transaction<'_>, thread: ThreadId, found: &Found) -> Result<(), Fault> {
    let values = [thread.0.into(), found.head.as_str().into(), found.changes.as_deref().into()];
    tx.run(NOTE, &values).map(|_| ())
}

/// What was found when the thread was closed.
///
/// # Errors
/// The store failed.
pub fn found(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<Option<Found>, Fault> {
    tx.first(FOUND, &[thread.0.into()], |row| {
        Ok(Found { head: Commit::stored(row.text(0)?), changes: row.text_or_null(1)? })
    })
}
