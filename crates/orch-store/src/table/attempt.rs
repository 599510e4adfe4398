//! Attempts.

use std::collections::BTreeMap;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::id::{AttemptId, AttemptName, MessageId, RunId, Slug, TaskId, TaskName, ThreadId};
use orch_core::task::{ChecksStatus, Task};
use orch_core::time::{Time, TimeSpan};

use super::{
    count_column, id_list, list_column, list_text, name_column, slug_column, time_column, time_or_null,
};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.run_id, a.task_id, r.name, t.key, a.number, a.agent, a.state, a.thread_id, a.outcome_id, a.reason,
            a.releases, a.checks, a.created_at, a.ended_at
            FROM attempt a JOIN task t ON t.id = a.task_id JOIN run r ON r.id = a.run_id ",
            $rest
        )
    };
}

statements! {
    const NEXT = "SELECT max(id) + 1 FROM attempt";
    const INSERT =
        "INSERT INTO attempt (id, run_id, task_id, number, agent, state, thread_id, releases, checks, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)";
    const SAVE =
        "UPDATE attempt SET agent = $2, state = $3, thread_id = $4, outcome_id = $5, reason = $6, releases = $7, checks = $8,
        ended_at = $9 WHERE id = $1";
    const LIVE = select!("WHERE a.ended_at IS NULL AND a.run_id = $1 ORDER BY a.id LIMIT $2");
    const INSERT_TEXT =
        "INSERT INTO attempt_text (attempt_id, run_verify, task_verify, log_tail) VALUES ($1, $2, $3, $4)
        ON CONFLICT (attempt_id) DO UPDATE SET run_verify = excluded.run_verify, task_verify = excluded.task_verify,
        log_tail = excluded.log_tail";
    const TEXT = "SELECT run_verify, task_verify, log_tail FROM attempt_text WHERE attempt_id = $1";
    const TEXTS = "SELECT run_verify, task_verify, log_tail, attempt_id FROM attempt_text
        WHERE attempt_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
    const LOAD = select!("WHERE a.id = $1");
    const LOAD_MANY = select!("WHERE a.id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY a.id");
    const ACTIVITY = "SELECT a.id, a.created_at, th.expires_at,
        (SELECT m.id FROM message m INDEXED BY message_thread
        WHERE m.thread_id = a.thread_id AND m.kind = 'progress' ORDER BY m.id DESC LIMIT 1)
        FROM attempt a LEFT JOIN thread th ON th.id = a.thread_id AND th.state = 'claimed' WHERE a.id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
    const NUMBERED = select!("WHERE a.task_id = $1 AND a.number = $2");
    const OF_TASK = select!("WHERE a.task_id = $1 ORDER BY a.number DESC LIMIT $2");
    const LIVE_OF_ALL = select!("WHERE a.ended_at IS NULL ORDER BY a.id LIMIT $1");
    const OF_RUN = "SELECT a.id, a.run_id, a.task_id, r.name, t.key, a.number, a.agent, a.state, a.thread_id, a.outcome_id,
        a.reason, a.releases, a.checks, a.created_at, a.ended_at
        FROM task t INDEXED BY task_order CROSS JOIN attempt a ON a.task_id = t.id CROSS JOIN run r ON r.id = t.run_id
        WHERE t.run_id = $1 AND t.id >= $2 AND (t.id > $2 OR a.number > $3) ORDER BY t.id, a.number LIMIT $4";
    const COUNT_OF_RUN =
        "SELECT count(*) FROM task t INDEXED BY task_order CROSS JOIN attempt a ON a.task_id = t.id
        WHERE t.run_id = $1";
    const DURATIONS =
        "SELECT a.ended_at - a.created_at FROM task t INDEXED BY task_state JOIN attempt a ON a.id = t.attempt_id
        WHERE t.run_id = $1 AND t.state = 'done' AND a.ended_at IS NOT NULL ORDER BY t.id DESC LIMIT 50";
}

fn attempt_from_row(row: &dyn SqlRow) -> Result<Attempt, Fault> {
    let task = TaskName { run: slug_column(row, 3)?, key: slug_column(row, 4)? };
    Ok(Attempt {
        id: AttemptId(row.int(0)?),
        run: RunId(row.int(1)?),
        task: TaskId(row.int(2)?),
        name: AttemptName { task, number: count_column(row, 5)? },
        agent: slug_column(row, 6)?,
        state: name_column(row, 7, "attempt", AttemptState::parse)?,
        thread: row.int_or_null(8)?.map(ThreadId),
        outcome: row.int_or_null(9)?.map(MessageId),
        reason: row.text_or_null(10)?,
        releases: count_column(row, 11)?,
        checks: name_column(row, 12, "attempt", ChecksStatus::parse)?,
        created_at: time_column(row, 13)?,
        ended_at: time_or_null(row, 14)?,
    })
}

/// Returns the key of the next attempt, so that its thread can refer to it before it is inserted.
pub fn next_id(tx: &mut Transaction<'_>) -> Result<AttemptId, Fault> {
    tx.query_number(NEXT, &[]).map(|id| AttemptId(id.max(1)))
}

/// The fields of a new attempt.
#[derive(Clone, Copy, Debug)]
pub struct NewAttemptRow<'a> {
    /// Its key.
    pub id: AttemptId,
    /// Its task.
    pub task: &'a Task,
    /// Its number.
    pub number: u32,
    /// The recipient.
    pub agent: &'a Slug,
    /// Its thread; `None` while it is preparing.
    pub thread: Option<ThreadId>,
    /// The status of its checks.
    pub checks: ChecksStatus,
}

/// Inserts an attempt.
pub fn insert(tx: &mut Transaction<'_>, new: NewAttemptRow<'_>, now: Time) -> Result<Attempt, Fault> {
    let NewAttemptRow { id, task, number, agent, thread, checks } = new;
    let state = if thread.is_some() { AttemptState::Dispatched } else { AttemptState::Preparing };
    let values: [SqlParameter<'_>; 9] = [
        id.0.into(),
        task.run.0.into(),
        task.id.0.into(),
        number.into(),
        agent.as_str().into(),
        state.name().into(),
        thread.map(|thread| thread.0).into(),
        checks.name().into(),
        now.0.into(),
    ];
    tx.execute(INSERT, &values)?;
    Ok(Attempt {
        id,
        run: task.run,
        task: task.id,
        name: AttemptName { task: task.name.clone(), number },
        agent: agent.clone(),
        state,
        thread,
        outcome: None,
        reason: None,
        releases: 0,
        checks,
        created_at: now,
        ended_at: None,
    })
}

/// Updates the mutable columns of an attempt.
pub fn save(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 9] = [
        attempt.id.0.into(),
        attempt.agent.as_str().into(),
        attempt.state.name().into(),
        attempt.thread.map(|thread| thread.0).into(),
        attempt.outcome.map(|outcome| outcome.0).into(),
        attempt.reason.as_deref().into(),
        attempt.releases.into(),
        attempt.checks.name().into(),
        attempt.ended_at.map(|at| at.0).into(),
    ];
    tx.execute(SAVE, &values).map(|_| ())
}

/// Loads an attempt.
pub fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Attempt>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], attempt_from_row)
}

/// Loads a task's attempt of this number.
pub fn load_by_number(tx: &mut Transaction<'_>, task: TaskId, number: u32) -> Result<Option<Attempt>, Fault> {
    tx.query_first(NUMBERED, &[task.0.into(), number.into()], attempt_from_row)
}

/// Lists a run's live attempts, oldest first.
pub fn list_live(tx: &mut Transaction<'_>, run: RunId, limit: u32) -> Result<Vec<Attempt>, Fault> {
    tx.query_all(LIVE, &[run.0.into(), limit.into()], attempt_from_row)
}

/// Saves the long texts of an attempt.
pub fn save_text(tx: &mut Transaction<'_>, id: AttemptId, text: &AttemptText) -> Result<(), Fault> {
    let (run_verify, task_verify) = (list_text(&text.run_verify), list_text(&text.task_verify));
    let values: [SqlParameter<'_>; 4] = [
        id.0.into(),
        run_verify.as_deref().into(),
        task_verify.as_deref().into(),
        text.log_tail.as_deref().into(),
    ];
    tx.execute(INSERT_TEXT, &values).map(|_| ())
}

/// Loads the long texts of an attempt; empty when none were saved.
pub fn load_text(tx: &mut Transaction<'_>, id: AttemptId) -> Result<AttemptText, Fault> {
    Ok(tx.query_first(TEXT, &[id.0.into()], text_from_row)?.unwrap_or_default())
}

/// Loads the long texts of several attempts; an attempt without texts is left out.
pub fn load_texts(
    tx: &mut Transaction<'_>,
    ids: &[AttemptId],
) -> Result<BTreeMap<AttemptId, AttemptText>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    let read = |row: &dyn SqlRow| Ok((AttemptId(row.int(3)?), text_from_row(row)?));
    Ok(tx.query_all(TEXTS, &[ids.as_str().into()], read)?.into_iter().collect())
}

fn text_from_row(row: &dyn SqlRow) -> Result<AttemptText, Fault> {
    Ok(AttemptText {
        run_verify: list_column(row, 0)?,
        task_verify: list_column(row, 1)?,
        log_tail: row.text_or_null(2)?,
    })
}

/// Lists a task's attempts, newest first.
pub fn list_by_task(tx: &mut Transaction<'_>, task: TaskId, limit: u32) -> Result<Vec<Attempt>, Fault> {
    tx.query_all(OF_TASK, &[task.0.into(), limit.into()], attempt_from_row)
}

/// Lists live attempts of all runs, oldest first.
pub fn list_live_of_all_runs(tx: &mut Transaction<'_>, limit: u32) -> Result<Vec<Attempt>, Fault> {
    tx.query_all(LIVE_OF_ALL, &[limit.into()], attempt_from_row)
}

/// Lists a run's attempts behind one, by task and number, and how many there are in all.
pub fn list_by_run(
    tx: &mut Transaction<'_>,
    run: RunId,
    after: (TaskId, u32),
    limit: u32,
) -> Result<(Vec<Attempt>, i64), Fault> {
    let values = [run.0.into(), after.0.0.into(), after.1.into(), limit.into()];
    Ok((tx.query_all(OF_RUN, &values, attempt_from_row)?, tx.query_number(COUNT_OF_RUN, &[run.0.into()])?))
}

/// Returns how long a run's last 50 done tasks took, those of them that tell.
pub fn recent_durations(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<TimeSpan>, Fault> {
    tx.query_all(DURATIONS, &[run.0.into()], |row| row.int(0).map(TimeSpan))
}

/// Loads several attempts, in the order of their ids; ids without a row are left out.
pub fn load_many(tx: &mut Transaction<'_>, ids: &[AttemptId]) -> Result<Vec<Attempt>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.query_all(LOAD_MANY, &[ids.as_str().into()], attempt_from_row)
}

/// The progress of a live attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptActivity {
    /// The attempt.
    pub attempt: AttemptId,
    /// When it was created.
    pub created_at: Time,
    /// When the running lease of its thread expires.
    pub lease_expires_at: Option<Time>,
    /// The last progress message of its thread.
    pub progress: Option<MessageId>,
}

/// Loads the activity of several attempts.
pub fn load_activity(tx: &mut Transaction<'_>, ids: &[AttemptId]) -> Result<Vec<AttemptActivity>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.query_all(ACTIVITY, &[ids.as_str().into()], |row| {
        Ok(AttemptActivity {
            attempt: AttemptId(row.int(0)?),
            created_at: time_column(row, 1)?,
            lease_expires_at: time_or_null(row, 2)?,
            progress: row.int_or_null(3)?.map(MessageId),
        })
    })
}
