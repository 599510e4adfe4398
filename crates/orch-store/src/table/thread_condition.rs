//! Conditions of threads on a worktree that must hold before they are closed as done.

use orch_core::id::{CommitHash, ThreadId};
use orch_core::thread::condition::{ClosingSnapshot, TreeCondition};

use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    const INSERT = "INSERT INTO thread_condition (thread_id, tree, branch, base_commit, needs_commit, merges) VALUES ($1, $2, $3, $4, $5, $6)";
    const LOAD =
        "SELECT tree, branch, base_commit, needs_commit, merges FROM thread_condition WHERE thread_id = $1";
    const FOUND =
        "SELECT head_commit, changes FROM thread_condition WHERE thread_id = $1 AND head_commit IS NOT NULL";
    const FOUND_MANY =
        "SELECT head_commit, changes, thread_id FROM thread_condition WHERE head_commit IS NOT NULL AND thread_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
    const NOTE = "UPDATE thread_condition SET head_commit = $2, changes = $3 WHERE thread_id = $1";
}

fn condition_from_row(row: &dyn SqlRow) -> Result<TreeCondition, Fault> {
    Ok(TreeCondition {
        tree: row.text(0)?,
        branch: row.text(1)?,
        base: CommitHash::from_stored(row.text(2)?),
        needs_commit: row.int(3)? != 0,
        merges: row.text_or_null(4)?.map(CommitHash::from_stored),
    })
}

/// Attaches a condition to a new thread.
pub fn insert(tx: &mut Transaction<'_>, thread: ThreadId, condition: &TreeCondition) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 6] = [
        thread.0.into(),
        condition.tree.as_str().into(),
        condition.branch.as_str().into(),
        condition.base.as_str().into(),
        condition.needs_commit.into(),
        condition.merges.as_ref().map(CommitHash::as_str).into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Loads the condition of a thread, if it has one.
pub fn load(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<Option<TreeCondition>, Fault> {
    tx.query_first(LOAD, &[thread.0.into()], condition_from_row)
}

/// Records the state of the worktree when the thread was closed.
pub fn save_snapshot(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    found: &ClosingSnapshot,
) -> Result<(), Fault> {
    let values = [thread.0.into(), found.head.as_str().into(), found.changes.as_deref().into()];
    tx.execute(NOTE, &values).map(|_| ())
}

/// Loads the state of the worktree when the thread was closed.
pub fn load_snapshot(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<Option<ClosingSnapshot>, Fault> {
    tx.query_first(FOUND, &[thread.0.into()], snapshot_from_row)
}

/// Loads what was found when several threads were closed; threads without a snapshot are left out.
pub fn load_snapshots(
    tx: &mut Transaction<'_>,
    threads: &[ThreadId],
) -> Result<Vec<(ThreadId, ClosingSnapshot)>, Fault> {
    let threads = super::id_list(threads.iter().map(|id| id.0));
    let read = |row: &dyn SqlRow| Ok((ThreadId(row.int(2)?), snapshot_from_row(row)?));
    tx.query_all(FOUND_MANY, &[threads.as_str().into()], read)
}

fn snapshot_from_row(row: &dyn SqlRow) -> Result<ClosingSnapshot, Fault> {
    Ok(ClosingSnapshot { head: CommitHash::from_stored(row.text(0)?), changes: row.text_or_null(1)? })
}
