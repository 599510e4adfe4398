//! Checks that ran.

use orch_core::check::{CheckRun, CheckSource, CheckStage, CheckState};
use orch_core::id::{AttemptId, Commit, RunId};

use super::{named, time};
use crate::driver::{Row, Value};
use crate::statement::statements;
use crate::{Fault, Transaction};
use orch_core::time::Span;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, attempt_id, stage, source, command, commit_id, state, exit_status, message, duration_ms, log, at
            FROM check_run ",
            $rest
        )
    };
}

statements! {
    const INSERT = "INSERT INTO check_run (run_id, attempt_id, stage, source, command, commit_id, state, exit_status, message,
        duration_ms, log, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    const OF_ATTEMPT = select!("WHERE attempt_id = $1 ORDER BY id");
    const OF_STAGE = select!("INDEXED BY check_run_stage WHERE run_id = $1 AND stage = $2 ORDER BY id");
    const CLEAR = "DELETE FROM check_run WHERE attempt_id = $1 AND stage = $2";
    const CLEAR_RUN = "DELETE FROM check_run WHERE run_id = $1 AND stage = $2 AND attempt_id IS NULL";
}

fn row(row: &dyn Row) -> Result<CheckRun, Fault> {
    Ok(CheckRun {
        run: RunId(row.int(0)?),
        attempt: row.int_or_null(1)?.map(AttemptId),
        stage: named(row, 2, "check_run", CheckStage::parse)?,
        source: named(row, 3, "check_run", CheckSource::parse)?,
        command: row.text(4)?,
        commit: Commit::stored(row.text(5)?),
        state: named(row, 6, "check_run", CheckState::parse)?,
        exit_status: row.int_or_null(7)?.and_then(|status| i32::try_from(status).ok()),
        message: row.text_or_null(8)?,
        duration: Span(row.int(9)?),
        log: row.text_or_null(10)?,
        at: time(row, 11)?,
    })
}

/// Remembers a check that ran.
///
/// # Errors
/// The store failed.
pub fn insert(tx: &mut Transaction<'_>, check: &CheckRun) -> Result<(), Fault> {
    let values: [Value<'_>; 12] = [
        check.run.0.into(),
        check.attempt.map(|attempt| attempt.0).into(),
        check.stage.name().into(),
        check.source.name().into(),
        check.command.as_str().into(),
        check.commit.as_str().into(),
        check.state.name().into(),
        check.exit_status.map(i64::from).into(),
        check.message.as_deref().into(),
        check.duration.0.into(),
        check.log.as_deref().into(),
        check.at.0.into(),
    ];
    tx.run(INSERT, &values).map(|_| ())
}

/// The last checks of an attempt at each stage, in the order they ran.
///
/// # Errors
/// The store failed.
pub fn of_attempt(tx: &mut Transaction<'_>, attempt: AttemptId) -> Result<Vec<CheckRun>, Fault> {
    tx.all(OF_ATTEMPT, &[attempt.0.into()], row)
}

/// The last checks of a run at a stage, in the order they ran.
///
/// # Errors
/// The store failed.
pub fn of_stage(tx: &mut Transaction<'_>, run: RunId, stage: CheckStage) -> Result<Vec<CheckRun>, Fault> {
    tx.all(OF_STAGE, &[run.0.into(), stage.name().into()], row)
}

/// Forgets what earlier checks of an attempt at a stage said: they run again.
///
/// # Errors
/// The store failed.
pub fn clear(tx: &mut Transaction<'_>, attempt: AttemptId, stage: CheckStage) -> Result<(), Fault> {
    tx.run(CLEAR, &[attempt.0.into(), stage.name().into()]).map(|_| ())
}

/// Forgets what earlier checks of a run as a whole at a stage said: they run again.
///
/// # Errors
/// The store failed.
pub fn clear_run(tx: &mut Transaction<'_>, run: RunId, stage: CheckStage) -> Result<(), Fault> {
    tx.run(CLEAR_RUN, &[run.0.into(), stage.name().into()]).map(|_| ())
}
