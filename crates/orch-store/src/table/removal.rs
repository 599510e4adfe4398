//! Forgetting a run: the rows of every table that are its own.
//!
//! Events are numbered without a gap, so theirs stay, and say nothing any more: they belong to the run 0, which there
//! is never.

use orch_core::id::RunId;

use super::id_high_water::{self, IdSequence};
use super::{message, thread};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    /// What goes, in an order in which each statement still finds what it goes by.
    const FORGET: [18] = [
        "DELETE FROM message WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM lease_token WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM thread_condition WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM worker WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM thread WHERE run_id = $1",
        "DELETE FROM attempt_text WHERE attempt_id IN (SELECT id FROM attempt WHERE run_id = $1)",
        "DELETE FROM worktree WHERE run_id = $1",
        "DELETE FROM check_run WHERE run_id = $1",
        "DELETE FROM effect WHERE run_id = $1",
        "DELETE FROM attempt WHERE run_id = $1",
        "DELETE FROM dependency WHERE task_id IN (SELECT id FROM task WHERE run_id = $1)",
        "DELETE FROM task_text WHERE task_id IN (SELECT id FROM task WHERE run_id = $1)",
        "DELETE FROM task_label WHERE run_id = $1",
        "DELETE FROM task WHERE run_id = $1",
        "DELETE FROM event_cursor WHERE run_id = $1",
        "DELETE FROM supervisor WHERE run_id = $1",
        "UPDATE event SET run_id = 0, task_id = NULL, attempt_id = NULL, thread_id = NULL, agent = NULL, data = '{}', wakes = 0
        WHERE run_id = $1",
        "DELETE FROM run WHERE id = $1",
    ];
}

/// Forgets a run with everything that is its own.
///
/// # Errors
/// The store failed.
pub fn delete_run(tx: &mut Transaction<'_>, run: RunId) -> Result<(), Fault> {
    let (thread, message) = (thread::newest_id(tx)?, message::newest_id(tx)?);
    id_high_water::raise_high_water(tx, IdSequence::Thread, thread.0)?;
    id_high_water::raise_high_water(tx, IdSequence::Message, message.0)?;
    for statement in FORGET {
        tx.execute(statement, &[run.0.into()])?;
    }
    Ok(())
}
