//! Results of checks.

use orch_core::check::{CheckRun, CheckSource, CheckStage, CheckState};
use orch_core::id::{AttemptId, CommitHash, RunId, TreeHash};

use super::{id_list, list_column, list_text, name_column, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};
use orch_core::time::TimeSpan;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, attempt_id, stage, source, command, commit_id, state, exit_status, message, duration_ms, log, at,
            tree, reused, flaky, env_not_passed FROM check_run ",
            $rest
        )
    };
}

statements! {
    const INSERT = "INSERT INTO check_run (run_id, attempt_id, stage, source, command, commit_id, state, exit_status, message,
        duration_ms, log, at, tree, reused, flaky, env_not_passed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    const OF_ATTEMPT = select!("WHERE attempt_id = $1 ORDER BY id");
    const OF_ATTEMPTS = select!("WHERE attempt_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id");
    const OF_STAGE = select!("INDEXED BY check_run_stage WHERE run_id = $1 AND stage = $2 ORDER BY id");
    const TAKE_OVER = "INSERT INTO check_run (run_id, attempt_id, stage, source, command, commit_id, state, exit_status, message,
        duration_ms, log, at, tree, reused, flaky, env_not_passed) SELECT run_id, attempt_id, 'merge', source, command, commit_id, state,
        exit_status, message, duration_ms, log, at, tree, 1, flaky, env_not_passed FROM check_run
        WHERE attempt_id = $1 AND stage = 'attempt' ORDER BY id";
    const CLEAR = "DELETE FROM check_run WHERE attempt_id = $1 AND stage = $2";
    const CLEAR_RUN = "DELETE FROM check_run WHERE run_id = $1 AND stage = $2 AND attempt_id IS NULL";
}

fn check_from_row(row: &dyn SqlRow) -> Result<CheckRun, Fault> {
    Ok(CheckRun {
        run: RunId(row.int(0)?),
        attempt: row.int_or_null(1)?.map(AttemptId),
        stage: name_column(row, 2, "check_run", CheckStage::parse)?,
        source: name_column(row, 3, "check_run", CheckSource::parse)?,
        command: row.text(4)?,
        commit: CommitHash::from_stored(row.text(5)?),
        state: name_column(row, 6, "check_run", CheckState::parse)?,
        exit_status: row.int_or_null(7)?.and_then(|status| i32::try_from(status).ok()),
        message: row.text_or_null(8)?,
        duration: TimeSpan(row.int(9)?),
        log: row.text_or_null(10)?,
        at: time_column(row, 11)?,
        tree: row.text_or_null(12)?.map(TreeHash::from_stored),
        reused: row.int(13)? != 0,
        flaky: row.int(14)? != 0,
        env_not_passed: list_column(row, 15)?,
    })
}

/// Inserts the result of a check.
pub fn insert(tx: &mut Transaction<'_>, check: &CheckRun) -> Result<(), Fault> {
    let env_not_passed = list_text(&check.env_not_passed);
    let values: [SqlParameter<'_>; 16] = [
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
        check.tree.as_ref().map(TreeHash::as_str).into(),
        check.reused.into(),
        check.flaky.into(),
        env_not_passed.as_deref().into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Lists the last checks of an attempt at each stage, in the order they ran.
pub fn list_by_attempt(tx: &mut Transaction<'_>, attempt: AttemptId) -> Result<Vec<CheckRun>, Fault> {
    tx.query_all(OF_ATTEMPT, &[attempt.0.into()], check_from_row)
}

/// Lists the last checks of several attempts at each stage, in the order they ran.
pub fn list_by_attempts(tx: &mut Transaction<'_>, attempts: &[AttemptId]) -> Result<Vec<CheckRun>, Fault> {
    let ids = id_list(attempts.iter().map(|attempt| attempt.0));
    tx.query_all(OF_ATTEMPTS, &[ids.as_str().into()], check_from_row)
}

/// Lists the last checks of a run at a stage, in the order they ran.
pub fn list_by_stage(
    tx: &mut Transaction<'_>,
    run: RunId,
    stage: CheckStage,
) -> Result<Vec<CheckRun>, Fault> {
    tx.query_all(OF_STAGE, &[run.0.into(), stage.name().into()], check_from_row)
}

/// Records the checks of an attempt's commit as those of its merge, which has the same commit.
pub fn take_over_attempt_checks(tx: &mut Transaction<'_>, attempt: AttemptId) -> Result<(), Fault> {
    clear_attempt(tx, attempt, CheckStage::Merge)?;
    tx.execute(TAKE_OVER, &[attempt.0.into()]).map(|_| ())
}

/// Deletes the results of an attempt at a stage, before its checks run again.
pub fn clear_attempt(tx: &mut Transaction<'_>, attempt: AttemptId, stage: CheckStage) -> Result<(), Fault> {
    tx.execute(CLEAR, &[attempt.0.into(), stage.name().into()]).map(|_| ())
}

/// Deletes the results of a run's branch at a stage, before its checks run again.
pub fn clear_run(tx: &mut Transaction<'_>, run: RunId, stage: CheckStage) -> Result<(), Fault> {
    tx.execute(CLEAR_RUN, &[run.0.into(), stage.name().into()]).map(|_| ())
}
