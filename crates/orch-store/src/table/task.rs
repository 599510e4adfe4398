//! Tasks, their labels, and apart from them their long texts, so that moving a task never rewrites those.

use orch_core::id::{AttemptId, CommitHash, RunId, Slug, TaskId, TaskName};
use orch_core::run::{ResourceUsage, ReviewPolicy};
use orch_core::task::{ChecksStatus, LastAttempt, Task, TaskConflict, TaskState, TaskText};
use orch_core::time::{Time, TimeSpan};
use serde_json::{Value, json};

use super::usage::{UsageColumns, known_usage, usage_values};
use super::{
    count_column, count_or_null, id_list, list_column, list_text, name_column, name_list, slug_column,
    slug_or_null, slugs_column, slugs_text, time_column, time_or_null,
};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.run_id, t.key, t.title, t.priority, t.labels, t.agent, t.state, t.unmet, t.broken, t.rank,
            t.not_before, t.attempt_id, t.attempt_number, t.failures, t.losses, t.max_attempts, t.allow_empty, t.checks,
            t.created_at, t.updated_at, r.name, t.releases, t.faults, t.held FROM task t ",
            $rest
        )
    };
}

/// The ready task of a priority with the longest chain of dependents; each priority has its part of the index.
macro_rules! longest_ready {
    ($priority:literal) => {
        concat!(
            "SELECT id, rank FROM (SELECT id, rank FROM task INDEXED BY task_ready WHERE run_id = $1 AND state = 'ready' AND priority = ",
            $priority,
            " ORDER BY rank DESC, id LIMIT 1) AS part_ready_",
            $priority
        )
    };
}

/// What the attempts at a task have used; the time of an attempt without a worker process is that of its life.
macro_rules! spent {
    () => {
        "SELECT t.id, t.cost_micros, t.tokens, t.cached_tokens, t.output_tokens, t.cost_known, t.tokens_known, count(a.id),
        coalesce(sum(coalesce((SELECT sum(e.wall_ms) FROM usage_entry e WHERE e.thread_id = a.thread_id),
        coalesce(a.ended_at, $2) - (SELECT min(l.claimed_at) FROM lease_token l WHERE l.thread_id = a.thread_id), 0)), 0)"
    };
}

statements! {
    const INSERT =
        "INSERT INTO task (run_id, key, title, priority, labels, agent, state, unmet, broken, rank, failures,
        losses, max_attempts, allow_empty, checks, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11, $12, $13, $14, $14) RETURNING id";
    const INSERT_TEXT = "INSERT INTO task_text (task_id, accept, verify, spec, conflict, review) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (task_id) DO UPDATE SET accept = excluded.accept, verify = excluded.verify, spec = excluded.spec,
        conflict = excluded.conflict, review = excluded.review";
    const INSERT_LABEL = "INSERT INTO task_label (run_id, label, task_id) VALUES ($1, $2, $3)";
    const DELETE_LABEL = "DELETE FROM task_label WHERE run_id = $1 AND label = $2 AND task_id = $3";
    const SAVE = "UPDATE task SET state = $2, unmet = $3, broken = $4, not_before = $5, attempt_id = $6,
        attempt_number = $7, failures = $8, losses = $9, checks = $10, updated_at = $11, releases = $12, faults = $13 WHERE id = $1";
    const SAVE_HEAD =
        "UPDATE task SET title = $2, priority = $3, labels = $4, agent = $5, max_attempts = $6,
        allow_empty = $7, updated_at = $8 WHERE id = $1";
    const SPEND = "UPDATE task SET cost_micros = cost_micros + $2, tokens = tokens + $3, cached_tokens = cached_tokens + $4,
        output_tokens = output_tokens + $5, cost_known = CASE WHEN CAST($6 AS BIGINT) = 1 THEN 1 ELSE cost_known END,
        tokens_known = CASE WHEN CAST($7 AS BIGINT) = 1 THEN 1 ELSE tokens_known END WHERE id = $1";
    const SPENT = concat!(spent!(), " FROM task t LEFT JOIN attempt a ON a.task_id = t.id WHERE t.id = $1 GROUP BY t.id");
    const MANY_SPENT = concat!(
        spent!(), " FROM task t JOIN attempt a ON a.task_id = t.id
        WHERE t.id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) GROUP BY t.id ORDER BY t.id"
    );
    const READY_SPENT = concat!(
        spent!(), " FROM task t INDEXED BY task_ready JOIN attempt a ON a.task_id = t.id
        WHERE t.run_id = $1 AND t.state = 'ready' GROUP BY t.id ORDER BY t.id"
    );
    const SET_RANK = "UPDATE task SET rank = $2 WHERE id = $1";
    const LOAD = select!("JOIN run r ON r.id = t.run_id WHERE t.id = $1");
    const LOAD_MANY = select!("JOIN run r ON r.id = t.run_id WHERE t.id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY t.id");
    const BY_KEYS = select!(
        "INDEXED BY task_key JOIN run r ON r.id = t.run_id WHERE t.run_id = $1 AND t.key IN (SELECT value FROM json_each($2))"
    );
    const BY_KEY = select!("JOIN run r ON r.id = t.run_id WHERE t.run_id = $1 AND t.key = $2");
    const ID_BY_KEY = "SELECT id FROM task WHERE run_id = $1 AND key = $2";
    const LIST = select!(
        "INDEXED BY task_order JOIN run r ON r.id = t.run_id WHERE t.run_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3"
    );
    const LIST_STATE = select!(
        "INDEXED BY task_state JOIN run r ON r.id = t.run_id WHERE t.run_id = $1 AND t.state = $4 AND t.id > $2 ORDER BY t.id LIMIT $3"
    );
    // At most five states; those that are not wanted are given as null.
    const LIST_STATES = select!(
        "JOIN run r ON r.id = t.run_id WHERE t.id IN (
        SELECT id FROM (SELECT id FROM task INDEXED BY task_state WHERE run_id = $1 AND state = $4 AND id > $2 ORDER BY id LIMIT $3) AS part_a
        UNION ALL SELECT id FROM (SELECT id FROM task INDEXED BY task_state WHERE run_id = $1 AND state = $5 AND id > $2 ORDER BY id LIMIT $3) AS part_b
        UNION ALL SELECT id FROM (SELECT id FROM task INDEXED BY task_state WHERE run_id = $1 AND state = $6 AND id > $2 ORDER BY id LIMIT $3) AS part_c
        UNION ALL SELECT id FROM (SELECT id FROM task INDEXED BY task_state WHERE run_id = $1 AND state = $7 AND id > $2 ORDER BY id LIMIT $3) AS part_d
        UNION ALL SELECT id FROM (SELECT id FROM task INDEXED BY task_state WHERE run_id = $1 AND state = $8 AND id > $2 ORDER BY id LIMIT $3) AS part_e)
        ORDER BY t.id"
    );
    const LIST_LABEL = select!(
        "JOIN run r ON r.id = t.run_id JOIN task_label l ON l.task_id = t.id
        WHERE l.run_id = $1 AND l.label = $4 AND l.task_id > $2 AND (CAST($5 AS TEXT) IS NULL OR t.state = $5) ORDER BY l.task_id LIMIT $3"
    );
    const COUNT_LABEL = "SELECT count(*) FROM task_label l JOIN task t ON t.id = l.task_id
        WHERE l.run_id = $1 AND l.label = $2 AND (CAST($3 AS TEXT) IS NULL OR t.state = $3)";
    const READY = select!(
        "INDEXED BY task_ready JOIN run r ON r.id = t.run_id
        WHERE t.run_id = $1 AND t.state = 'ready' AND t.held = 0 AND (t.not_before IS NULL OR t.not_before <= $2)
        AND (CAST($3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM task_label l WHERE l.run_id = t.run_id AND l.label = $3 AND l.task_id = t.id))
        AND (t.priority > $5 OR (t.priority = $5 AND (t.rank < $6 OR (t.rank = $6 AND t.id > $7))))
        ORDER BY t.priority, t.rank DESC, t.id LIMIT $4"
    );
    const READY_LABEL_COUNT = "SELECT count(*) FROM task_label l JOIN task t ON t.id = l.task_id
        WHERE l.run_id = $1 AND l.label = $2 AND t.state = 'ready' AND t.held = 0 AND (t.not_before IS NULL OR t.not_before <= $3)";
    // A held task in its retry delay is counted once.
    const BACKOFF_COUNT = "SELECT (SELECT count(*) FROM task INDEXED BY task_backoff WHERE run_id = $1 AND state = 'ready' AND not_before > $2)
        + (SELECT count(*) FROM task INDEXED BY task_held WHERE run_id = $1 AND state = 'ready' AND held = 1
        AND (not_before IS NULL OR not_before <= $2))";
    const UNCHECKED = "SELECT t.id FROM task t INDEXED BY task_state LEFT JOIN attempt a ON a.id = t.attempt_id
        WHERE t.run_id = $1 AND t.state = 'done' AND (a.id IS NULL OR a.checks = 'none') ORDER BY t.id LIMIT $2";
    const COUNT_UNCHECKED = "SELECT count(*) FROM task t INDEXED BY task_state LEFT JOIN attempt a ON a.id = t.attempt_id
        WHERE t.run_id = $1 AND t.state = 'done' AND (a.id IS NULL OR a.checks = 'none')";
    const IDLE = "SELECT id FROM task INDEXED BY task_state WHERE run_id = $1 AND state IN ('waiting', 'ready') ORDER BY rank, id LIMIT $2";
    const COUNT_IDLE = "SELECT state, count(*) FROM task WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
        AND state IN ('waiting', 'ready') GROUP BY state ORDER BY state";
    const CANCEL_IDLE = "UPDATE task SET state = $2, not_before = NULL, updated_at = $3
        WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND state IN ('waiting', 'ready')";
    const RECOUNT_BROKEN = "UPDATE task SET broken = (SELECT count(*) FROM dependency d JOIN task o ON o.id = d.on_id
        WHERE d.task_id = task.id AND o.state IN ('failed', 'skipped', 'cancelled'))
        WHERE id IN (SELECT w.task_id FROM dependency w WHERE w.on_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)))";
    const SET_HELD = "UPDATE task SET held = $2, updated_at = $3 WHERE id = $1";
    const BACKOFF_NEXT = "SELECT min(not_before) FROM task INDEXED BY task_backoff WHERE run_id = $1 AND state = 'ready' AND not_before > $2";
    // The first task of the chain is ready or has a live attempt; each next one is the oldest of the highest rank.
    const CRITICAL_PATH = concat!(
        "WITH RECURSIVE part_candidate (id, rank) AS (",
        longest_ready!(0), " UNION ALL ", longest_ready!(1), " UNION ALL ", longest_ready!(2), " UNION ALL ",
        longest_ready!(3), " UNION ALL ", longest_ready!(4), " UNION ALL
        SELECT id, rank FROM (SELECT id, rank FROM task INDEXED BY task_live
        WHERE run_id = $1 AND state IN ('dispatched', 'running', 'blocked', 'reported') ORDER BY rank DESC, id LIMIT 1) AS part_live),
        part_chain (id, rank, step) AS (
        SELECT id, rank, 1 FROM (SELECT id, rank FROM part_candidate ORDER BY rank DESC, id LIMIT 1) AS part_first
        UNION ALL SELECT (SELECT d.task_id FROM dependency d JOIN task n ON n.id = d.task_id
        WHERE d.on_id = part_chain.id AND n.rank + 1 = part_chain.rank ORDER BY d.task_id LIMIT 1), part_chain.rank - 1, part_chain.step + 1
        FROM part_chain WHERE part_chain.id IS NOT NULL AND part_chain.rank > 0 AND part_chain.step < CAST($2 AS BIGINT))
        SELECT t.key, t.rank FROM part_chain JOIN task t ON t.id = part_chain.id ORDER BY part_chain.step"
    );
    const COUNT_READY = "SELECT count(*) FROM task WHERE state = 'ready' AND id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
    const CONFLICTS = "SELECT t.id, x.conflict FROM task_text x JOIN task t ON t.id = x.task_id
        WHERE x.conflict IS NOT NULL AND t.run_id = $1 AND t.state NOT IN ('done', 'failed', 'skipped', 'cancelled') ORDER BY t.id";
    const TEXT = "SELECT spec, accept, verify, task_id, conflict, review FROM task_text WHERE task_id = $1";
    const TEXTS = "SELECT spec, accept, verify, task_id, conflict, review FROM task_text WHERE task_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
}

fn task_from_row(row: &dyn SqlRow) -> Result<Task, Fault> {
    let attempt = row.int_or_null(12)?.zip(count_or_null(row, 13)?);
    Ok(Task {
        id: TaskId(row.int(0)?),
        run: RunId(row.int(1)?),
        name: TaskName { run: slug_column(row, 21)?, key: slug_column(row, 2)? },
        title: row.text(3)?,
        priority: u8::try_from(row.int(4)?).unwrap_or(u8::MAX),
        labels: slugs_column(row, 5)?,
        agent: slug_or_null(row, 6)?,
        state: name_column(row, 7, "task", TaskState::parse)?,
        unmet: count_column(row, 8)?,
        broken: count_column(row, 9)?,
        rank: count_column(row, 10)?,
        not_before: time_or_null(row, 11)?,
        held: row.int(24)? != 0,
        attempt: attempt.map(|(id, number)| LastAttempt { id: AttemptId(id), number }),
        failures: count_column(row, 14)?,
        losses: count_column(row, 15)?,
        releases: count_column(row, 22)?,
        faults: count_column(row, 23)?,
        max_attempts: count_or_null(row, 16)?,
        allow_empty: row.int(17)? != 0,
        checks: name_column(row, 18, "task", ChecksStatus::parse)?,
        created_at: time_column(row, 19)?,
        updated_at: time_column(row, 20)?,
    })
}

/// The fields of a new task.
#[derive(Clone, Copy, Debug)]
pub struct NewTaskRow<'a> {
    /// Its run.
    pub run: RunId,
    /// Its key.
    pub key: &'a Slug,
    /// Its title.
    pub title: &'a str,
    /// Its priority.
    pub priority: u8,
    /// Its labels.
    pub labels: &'a [Slug],
    /// Its agent.
    pub agent: Option<&'a Slug>,
    /// Its state.
    pub state: TaskState,
    /// The number of unmet dependencies.
    pub unmet: u32,
    /// The number of broken dependencies.
    pub broken: u32,
    /// Its rank: the length of its longest chain of dependents.
    pub rank: u32,
    /// Its own limit of failures.
    pub max_attempts: Option<u32>,
    /// Whether an attempt may report without a commit.
    pub allow_empty: bool,
    /// Its long texts.
    pub text: &'a TaskText,
}

/// Inserts a task with its labels and texts.
pub fn insert(tx: &mut Transaction<'_>, new: NewTaskRow<'_>, now: Time) -> Result<TaskId, Fault> {
    let labels = slugs_text(new.labels);
    let values: [SqlParameter<'_>; 14] = [
        new.run.0.into(),
        new.key.as_str().into(),
        new.title.into(),
        new.priority.into(),
        labels.as_deref().into(),
        new.agent.map(Slug::as_str).into(),
        new.state.name().into(),
        new.unmet.into(),
        new.broken.into(),
        new.rank.into(),
        new.max_attempts.into(),
        new.allow_empty.into(),
        ChecksStatus::None.name().into(),
        now.0.into(),
    ];
    let id = TaskId(tx.query_number(INSERT, &values)?);
    for label in new.labels {
        tx.execute(INSERT_LABEL, &[new.run.0.into(), label.as_str().into(), id.0.into()])?;
    }
    if *new.text != TaskText::default() {
        save_text(tx, id, new.text)?;
    }
    Ok(id)
}

/// Saves a task's long texts.
pub fn save_text(tx: &mut Transaction<'_>, id: TaskId, text: &TaskText) -> Result<(), Fault> {
    let (accept, verify) = (list_text(&text.accept), list_text(&text.verify));
    let conflict = text.conflict.as_ref().map(conflict_text);
    let values = [
        id.0.into(),
        accept.as_deref().into(),
        verify.as_deref().into(),
        text.spec.as_deref().into(),
        conflict.as_deref().into(),
        text.review.map(ReviewPolicy::name).into(),
    ];
    tx.execute(INSERT_TEXT, &values).map(|_| ())
}

/// Loads a task's long texts.
pub fn load_text(tx: &mut Transaction<'_>, id: TaskId) -> Result<TaskText, Fault> {
    Ok(tx.query_first(TEXT, &[id.0.into()], text_from_row)?.unwrap_or_default())
}

/// Loads the long texts of several tasks; a task without texts is left out.
pub fn load_texts(tx: &mut Transaction<'_>, ids: &[TaskId]) -> Result<Vec<(TaskId, TaskText)>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    let read = |row: &dyn SqlRow| Ok((TaskId(row.int(3)?), text_from_row(row)?));
    tx.query_all(TEXTS, &[ids.as_str().into()], read)
}

fn text_from_row(row: &dyn SqlRow) -> Result<TaskText, Fault> {
    Ok(TaskText {
        spec: row.text_or_null(0)?,
        accept: list_column(row, 1)?,
        verify: list_column(row, 2)?,
        review: row.text_or_null(5)?.as_deref().and_then(ReviewPolicy::parse),
        conflict: row.text_or_null(4)?.as_deref().and_then(conflict_from_text),
    })
}

/// Lists the unfinished tasks of a run that resolve a conflict, oldest first.
pub fn list_conflicts(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<(TaskId, TaskConflict)>, Fault> {
    let read = |row: &dyn SqlRow| Ok((TaskId(row.int(0)?), conflict_from_text(&row.text(1)?)));
    let rows = tx.query_all(CONFLICTS, &[run.0.into()], read)?;
    Ok(rows.into_iter().filter_map(|(task, conflict)| Some((task, conflict?))).collect())
}

/// Returns a conflict as a JSON document.
fn conflict_text(conflict: &TaskConflict) -> String {
    json!({
        "commit": conflict.commit.as_str(),
        "from": conflict.from,
        "attempt": conflict.attempt.map(|attempt| attempt.0),
        "base": conflict.is_base,
    })
    .to_string()
}

fn conflict_from_text(text: &str) -> Option<TaskConflict> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(TaskConflict {
        commit: CommitHash::from_stored(value["commit"].as_str()?.to_owned()),
        from: value["from"].as_str()?.to_owned(),
        attempt: value["attempt"].as_i64().map(AttemptId),
        is_base: value["base"].as_bool().unwrap_or(false),
    })
}

/// Updates the state of a task: state, counters, attempt, failures.
pub fn save(tx: &mut Transaction<'_>, task: &Task) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 13] = [
        task.id.0.into(),
        task.state.name().into(),
        task.unmet.into(),
        task.broken.into(),
        task.not_before.map(|at| at.0).into(),
        task.attempt.map(|attempt| attempt.id.0).into(),
        task.attempt.map(|attempt| attempt.number).into(),
        task.failures.into(),
        task.losses.into(),
        task.checks.name().into(),
        task.updated_at.0.into(),
        task.releases.into(),
        task.faults.into(),
    ];
    tx.execute(SAVE, &values).map(|_| ())
}

/// Updates the editable fields of a task: title, priority, labels, agent, limits.
pub fn save_head(tx: &mut Transaction<'_>, before: &Task, task: &Task) -> Result<(), Fault> {
    let labels = slugs_text(&task.labels);
    let values: [SqlParameter<'_>; 8] = [
        task.id.0.into(),
        task.title.as_str().into(),
        task.priority.into(),
        labels.as_deref().into(),
        task.agent.as_ref().map(Slug::as_str).into(),
        task.max_attempts.into(),
        task.allow_empty.into(),
        task.updated_at.0.into(),
    ];
    tx.execute(SAVE_HEAD, &values)?;
    for label in before.labels.iter().filter(|label| !task.labels.contains(label)) {
        tx.execute(DELETE_LABEL, &[task.run.0.into(), label.as_str().into(), task.id.0.into()])?;
    }
    for label in task.labels.iter().filter(|label| !before.labels.contains(label)) {
        tx.execute(INSERT_LABEL, &[task.run.0.into(), label.as_str().into(), task.id.0.into()])?;
    }
    Ok(())
}

/// Adds to the usage of a task's attempts.
pub fn add_usage(tx: &mut Transaction<'_>, id: TaskId, more: ResourceUsage) -> Result<(), Fault> {
    let [cost, tokens, cached, output, cost_known, tokens_known] = usage_values(more);
    tx.execute(SPEND, &[id.0.into(), cost, tokens, cached, output, cost_known, tokens_known]).map(|_| ())
}

fn spent_from_row(row: &dyn SqlRow) -> Result<(TaskId, ResourceUsage, TimeSpan), Fault> {
    let columns = UsageColumns { cost: 1, tokens: 2, cached: 3, output: 4, known: 5 };
    let usage = ResourceUsage { attempts: row.int(7)?, ..known_usage(row, columns)? };
    Ok((TaskId(row.int(0)?), usage, TimeSpan(row.int(8)?)))
}

/// Returns the usage of a task's attempts and their total wall time.
pub fn load_usage(
    tx: &mut Transaction<'_>,
    id: TaskId,
    now: Time,
) -> Result<(ResourceUsage, TimeSpan), Fault> {
    let found = tx.query_first(SPENT, &[id.0.into(), now.0.into()], spent_from_row)?;
    Ok(found.map_or((ResourceUsage::default(), TimeSpan(0)), |(_, spent, wall)| (spent, wall)))
}

/// Lists the usage of several tasks that have attempts, as [`load_usage`] returns it for one.
pub fn list_usage_of_tasks(
    tx: &mut Transaction<'_>,
    ids: &[TaskId],
    now: Time,
) -> Result<Vec<(TaskId, ResourceUsage, TimeSpan)>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.query_all(MANY_SPENT, &[ids.as_str().into(), now.0.into()], spent_from_row)
}

/// Lists the usage of a run's ready tasks that were tried before, as [`load_usage`] returns it for one.
pub fn list_ready_usage(
    tx: &mut Transaction<'_>,
    run: RunId,
    now: Time,
) -> Result<Vec<(TaskId, ResourceUsage, TimeSpan)>, Fault> {
    tx.query_all(READY_SPENT, &[run.0.into(), now.0.into()], spent_from_row)
}

/// Updates a task's rank.
pub fn set_rank(tx: &mut Transaction<'_>, id: TaskId, rank: u32) -> Result<(), Fault> {
    tx.execute(SET_RANK, &[id.0.into(), rank.into()]).map(|_| ())
}

/// Loads a task by its key in the store.
pub fn load(tx: &mut Transaction<'_>, id: TaskId) -> Result<Option<Task>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], task_from_row)
}

/// Loads a task by its key in a run.
pub fn load_by_key(tx: &mut Transaction<'_>, run: RunId, key: &Slug) -> Result<Option<Task>, Fault> {
    tx.query_first(BY_KEY, &[run.0.into(), key.as_str().into()], task_from_row)
}

/// Returns the id of a key in a run.
pub fn id_by_key(tx: &mut Transaction<'_>, run: RunId, key: &Slug) -> Result<Option<TaskId>, Fault> {
    tx.query_first(ID_BY_KEY, &[run.0.into(), key.as_str().into()], |row| row.int(0).map(TaskId))
}

/// Lists a run's tasks after one, oldest first.
pub fn list(tx: &mut Transaction<'_>, run: RunId, after: TaskId, limit: u32) -> Result<Vec<Task>, Fault> {
    tx.query_all(LIST, &[run.0.into(), after.0.into(), limit.into()], task_from_row)
}

/// Lists a run's tasks in one state after one, oldest first.
pub fn list_in_state(
    tx: &mut Transaction<'_>,
    run: RunId,
    state: TaskState,
    after: TaskId,
    limit: u32,
) -> Result<Vec<Task>, Fault> {
    tx.query_all(
        LIST_STATE,
        &[run.0.into(), after.0.into(), limit.into(), state.name().into()],
        task_from_row,
    )
}

/// Lists a run's tasks with a label, oldest first, and how many there are in all.
pub fn list_labelled(
    tx: &mut Transaction<'_>,
    run: RunId,
    label: &Slug,
    state: Option<TaskState>,
    after: TaskId,
    limit: u32,
) -> Result<(Vec<Task>, i64), Fault> {
    let state: SqlParameter<'_> = state.map(TaskState::name).into();
    let label: SqlParameter<'_> = label.as_str().into();
    let tasks =
        tx.query_all(LIST_LABEL, &[run.0.into(), after.0.into(), limit.into(), label, state], task_from_row)?;
    Ok((tasks, tx.query_number(COUNT_LABEL, &[run.0.into(), label, state])?))
}

/// The position of a task among the ready tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyPosition {
    /// Its priority, the most urgent first.
    pub priority: u8,
    /// Its rank, the highest first.
    pub rank: u32,
    /// Its number, the oldest first.
    pub task: TaskId,
}

/// Lists a run's dispatchable tasks: priority, then the longest chain behind them, then age.
pub fn list_ready(
    tx: &mut Transaction<'_>,
    run: RunId,
    label: Option<&Slug>,
    now: Time,
    limit: u32,
    after: Option<ReadyPosition>,
) -> Result<Vec<Task>, Fault> {
    let (priority, rank, task) =
        after.map_or((-1, 0, 0), |after| (i64::from(after.priority), i64::from(after.rank), after.task.0));
    let values = [
        run.0.into(),
        now.0.into(),
        label.map(Slug::as_str).into(),
        limit.into(),
        priority.into(),
        rank.into(),
        task.into(),
    ];
    tx.query_all(READY, &values, task_from_row)
}

/// Counts a run's dispatchable tasks with a label.
pub fn count_ready_labelled(
    tx: &mut Transaction<'_>,
    run: RunId,
    label: &Slug,
    now: Time,
) -> Result<i64, Fault> {
    tx.query_number(READY_LABEL_COUNT, &[run.0.into(), label.as_str().into(), now.0.into()])
}

/// Counts a run's ready tasks that wait for their retry delay.
pub fn count_backing_off(tx: &mut Transaction<'_>, run: RunId, now: Time) -> Result<i64, Fault> {
    tx.query_number(BACKOFF_COUNT, &[run.0.into(), now.0.into()])
}

/// Saves whether the lead holds a task back.
pub fn save_held(tx: &mut Transaction<'_>, task: &Task) -> Result<(), Fault> {
    tx.execute(SET_HELD, &[task.id.0.into(), i64::from(task.held).into(), task.updated_at.0.into()])?;
    Ok(())
}

/// Returns when the next retry delay of a run ends.
pub fn next_retry_time(tx: &mut Transaction<'_>, run: RunId, now: Time) -> Result<Option<Time>, Fault> {
    Ok(tx.query_first(BACKOFF_NEXT, &[run.0.into(), now.0.into()], |row| time_or_null(row, 0))?.flatten())
}

/// Loads several tasks, in the order of their ids; ids without a row are left out.
pub fn load_many(tx: &mut Transaction<'_>, ids: &[TaskId]) -> Result<Vec<Task>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.query_all(LOAD_MANY, &[ids.as_str().into()], task_from_row)
}

/// Loads the tasks of a run that have one of these keys, oldest first.
pub fn load_by_keys(tx: &mut Transaction<'_>, run: RunId, keys: &[&Slug]) -> Result<Vec<Task>, Fault> {
    let keys = name_list(keys.iter().map(|key| key.as_str()));
    let mut tasks = tx.query_all(BY_KEYS, &[run.0.into(), keys.as_str().into()], task_from_row)?;
    tasks.sort_by_key(|task| task.id);
    Ok(tasks)
}

/// The most states that [`list_in_states`] takes.
pub const STATES_MAX: usize = 5;

/// Lists a run's tasks in some states behind one, oldest first: at most `limit` of each state.
pub fn list_in_states(
    tx: &mut Transaction<'_>,
    run: RunId,
    states: &[TaskState],
    after: TaskId,
    limit: u32,
) -> Result<Vec<Task>, Fault> {
    let mut tasks = Vec::new();
    for states in states.chunks(STATES_MAX) {
        let mut values = vec![run.0.into(), after.0.into(), limit.into()];
        values.extend(states.iter().map(|state| SqlParameter::from(state.name())));
        values.resize(3 + STATES_MAX, SqlParameter::Null);
        tasks.extend(tx.query_all(LIST_STATES, &values, task_from_row)?);
    }
    tasks.sort_by_key(|task| task.id);
    Ok(tasks)
}

/// Returns the first tasks of a run's longest chain of unfinished tasks, each with its rank.
pub fn critical_path(tx: &mut Transaction<'_>, run: RunId, limit: u32) -> Result<Vec<(Slug, u32)>, Fault> {
    let read = |row: &dyn SqlRow| Ok((slug_column(row, 0)?, count_column(row, 1)?));
    tx.query_all(CRITICAL_PATH, &[run.0.into(), limit.into()], read)
}

/// Lists the first done tasks of a run whose last attempt nothing has checked, and counts all of them.
pub fn list_unchecked(tx: &mut Transaction<'_>, run: RunId, limit: u32) -> Result<(Vec<Task>, u64), Fault> {
    let total = u64::try_from(tx.query_number(COUNT_UNCHECKED, &[run.0.into()])?).unwrap_or(0);
    let ids = tx.query_all(UNCHECKED, &[run.0.into(), limit.into()], |row| row.int(0).map(TaskId))?;
    Ok((load_many(tx, &ids)?, total))
}

/// Lists the waiting and ready tasks of a run, dependents before what they wait for.
pub fn list_idle_ids(tx: &mut Transaction<'_>, run: RunId, limit: u32) -> Result<Vec<TaskId>, Fault> {
    tx.query_all(IDLE, &[run.0.into(), limit.into()], |row| row.int(0).map(TaskId))
}

/// Counts those of some tasks that are waiting or ready, by state.
pub fn count_idle(tx: &mut Transaction<'_>, ids: &[TaskId]) -> Result<Vec<(TaskState, i64)>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    let read = |row: &dyn SqlRow| Ok((name_column(row, 0, "task", TaskState::parse)?, row.int(1)?));
    tx.query_all(COUNT_IDLE, &[ids.as_str().into()], read)
}

/// Cancels those of some tasks that are waiting or ready.
pub fn cancel_idle(tx: &mut Transaction<'_>, ids: &[TaskId], now: Time) -> Result<(), Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.execute(CANCEL_IDLE, &[ids.as_str().into(), TaskState::Cancelled.name().into(), now.0.into()])
        .map(|_| ())
}

/// Counts again the broken dependencies of everything that waits for some tasks.
pub fn recount_broken(tx: &mut Transaction<'_>, ids: &[TaskId]) -> Result<(), Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.execute(RECOUNT_BROKEN, &[ids.as_str().into()]).map(|_| ())
}

/// Counts those of some tasks that are ready.
pub fn count_ready(tx: &mut Transaction<'_>, ids: &[TaskId]) -> Result<u64, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    Ok(tx.query_number(COUNT_READY, &[ids.as_str().into()])?.unsigned_abs())
}
