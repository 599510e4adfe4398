//! Deletes a run with its rows in every table.
//!
//! Events are numbered without gaps, so the run's events stay as empty rows of run 0, which does not
//! exist.

use orch_core::id::RunId;

use super::id_high_water::{self, IdSequence};
use super::{message, thread};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    /// The deletions, ordered so that each statement still finds the rows that it selects by.
    const FORGET: [20] = [
        "DELETE FROM message WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM lease_token WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM thread_condition WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM worker WHERE thread_id IN (SELECT id FROM thread WHERE run_id = $1)",
        "DELETE FROM thread WHERE run_id = $1",
        "DELETE FROM attempt_text WHERE attempt_id IN (SELECT id FROM attempt WHERE run_id = $1)",
        "DELETE FROM worktree WHERE run_id = $1",
        "DELETE FROM check_run WHERE run_id = $1",
        "DELETE FROM check_result WHERE run_id = $1",
        "DELETE FROM effect WHERE run_id = $1",
        "DELETE FROM attempt WHERE run_id = $1",
        "DELETE FROM dependency WHERE task_id IN (SELECT id FROM task WHERE run_id = $1)",
        "DELETE FROM task_text WHERE task_id IN (SELECT id FROM task WHERE run_id = $1)",
        "DELETE FROM task_label WHERE run_id = $1",
        "DELETE FROM task WHERE run_id = $1",
        "DELETE FROM event_cursor WHERE run_id = $1",
        "DELETE FROM supervisor WHERE run_id = $1",
        "UPDATE event SET run_id = 0, task_id = NULL, attempt_id = NULL, thread_id = NULL, agent = NULL, data = '{}', wakes = 0,
        by_agent = NULL, by_user = NULL, by_host = NULL
        WHERE run_id = $1",
        "UPDATE usage_entry SET run_id = 0 WHERE run_id = $1",
        "DELETE FROM run WHERE id = $1",
    ];
}

/// Deletes a run with all of its rows.
pub fn delete_run(tx: &mut Transaction<'_>, run: RunId) -> Result<(), Fault> {
    let (thread, message) = (thread::newest_id(tx)?, message::newest_id(tx)?);
    id_high_water::raise_high_water(tx, IdSequence::Thread, thread.0)?;
    id_high_water::raise_high_water(tx, IdSequence::Message, message.0)?;
    for statement in FORGET {
        tx.execute(statement, &[run.0.into()])?;
    }
    Ok(())
}
