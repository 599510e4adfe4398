//! Known results of checks, by the key of everything that they may depend on.
//!
//! They live as long as the run may still need them, and there are at most
//! [`CHECK_RESULTS_KEPT`](orch_core::limit::CHECK_RESULTS_KEPT) of them per run.

use orch_core::check::{CheckKey, CheckState, KnownCheck};
use orch_core::id::{AttemptId, AttemptName, RunId, TaskName};
use orch_core::limit;
use orch_core::time::{Time, TimeSpan};

use super::{count_or_null, list_column, list_text, name_column, name_list, slug_or_null, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    const FIND = "SELECT c.key, c.state, c.flaky, c.exit_status, c.message, c.duration_ms, c.log, c.tail, c.series, c.at,
        r.name, t.key, a.number, c.env_not_passed FROM check_result c
        LEFT JOIN attempt a ON a.id = c.attempt_id LEFT JOIN task t ON t.id = a.task_id LEFT JOIN run r ON r.id = a.run_id
        WHERE c.run_id = $1 AND c.key IN (SELECT value FROM json_each($2)) AND c.at >= $3";
    const SAVE = "INSERT INTO check_result (run_id, key, attempt_id, state, flaky, exit_status, message, duration_ms, log, tail,
        series, at, env_not_passed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (run_id, key) DO UPDATE SET attempt_id = excluded.attempt_id, state = excluded.state,
        flaky = excluded.flaky, exit_status = excluded.exit_status, message = excluded.message,
        duration_ms = excluded.duration_ms, log = excluded.log, tail = excluded.tail, series = excluded.series, at = excluded.at,
        env_not_passed = excluded.env_not_passed
        RETURNING id";
    const PRUNE = "DELETE FROM check_result WHERE run_id = $1 AND id <= (SELECT id FROM check_result
        WHERE run_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    const COUNT = "SELECT count(*) FROM check_result WHERE run_id = $1";
    const CLEAR = "DELETE FROM check_result WHERE run_id = $1";
}

/// How many results are saved between two deletions of the oldest ones.
const PRUNE_INTERVAL: i64 = 100;

fn known_from_row(row: &dyn SqlRow) -> Result<(CheckKey, KnownCheck), Fault> {
    let task = slug_or_null(row, 10)?.zip(slug_or_null(row, 11)?).map(|(run, key)| TaskName { run, key });
    let attempt = task.zip(count_or_null(row, 12)?).map(|(task, number)| AttemptName { task, number });
    let known = KnownCheck {
        state: name_column(row, 1, "check_result", CheckState::parse)?,
        flaky: row.int(2)? != 0,
        exit_status: row.int_or_null(3)?.and_then(|status| i32::try_from(status).ok()),
        message: row.text_or_null(4)?,
        duration: TimeSpan(row.int(5)?),
        log: row.text_or_null(6)?,
        tail: row.text_or_null(7)?,
        env_not_passed: list_column(row, 13)?,
        attempt,
        series: row.text(8)?,
        at: time_column(row, 9)?,
    };
    Ok((CheckKey::from_digest(row.text(0)?), known))
}

/// Finds the known results for these keys that are not older than a time.
pub fn find(
    tx: &mut Transaction<'_>,
    run: RunId,
    keys: &[CheckKey],
    since: Time,
) -> Result<Vec<(CheckKey, KnownCheck)>, Fault> {
    let keys = name_list(keys.iter().map(CheckKey::as_str));
    tx.query_all(FIND, &[run.0.into(), keys.as_str().into(), since.0.into()], known_from_row)
}

/// Saves the result for a key, in place of an earlier one; the name of the attempt is not read.
pub fn save(
    tx: &mut Transaction<'_>,
    run: RunId,
    attempt: Option<AttemptId>,
    key: &CheckKey,
    known: &KnownCheck,
) -> Result<(), Fault> {
    let env_not_passed = list_text(&known.env_not_passed);
    let values: [SqlParameter<'_>; 13] = [
        run.0.into(),
        key.as_str().into(),
        attempt.map(|attempt| attempt.0).into(),
        known.state.name().into(),
        known.flaky.into(),
        known.exit_status.map(i64::from).into(),
        known.message.as_deref().into(),
        known.duration.0.into(),
        known.log.as_deref().into(),
        known.tail.as_deref().into(),
        known.series.as_str().into(),
        known.at.0.into(),
        env_not_passed.as_deref().into(),
    ];
    if tx.query_number(SAVE, &values)? % PRUNE_INTERVAL == 0 {
        prune(tx, run, limit::CHECK_RESULTS_KEPT)?;
    }
    Ok(())
}

/// Deletes all results of a run but the newest ones.
pub fn prune(tx: &mut Transaction<'_>, run: RunId, kept: u32) -> Result<(), Fault> {
    tx.execute(PRUNE, &[run.0.into(), kept.into()]).map(|_| ())
}

/// Counts the results of a run.
pub fn count(tx: &mut Transaction<'_>, run: RunId) -> Result<i64, Fault> {
    tx.query_number(COUNT, &[run.0.into()])
}

/// Deletes all results of a run.
pub fn clear(tx: &mut Transaction<'_>, run: RunId) -> Result<(), Fault> {
    tx.execute(CLEAR, &[run.0.into()]).map(|_| ())
}
