//! The append-only event log.

use orch_core::event::{ActingProcess, Event, EventAuthor, EventDatum, EventKind, NewEvent};
use orch_core::id::{AttemptName, EventId, RunId, Slug, TaskId, TaskName, ThreadId};
use orch_core::task::TaskState;
use orch_core::time::Time;

use super::{count_or_null, id_list, name_column, slug_or_null, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.at, e.kind, r.name, t.key, a.number, e.thread_id, e.agent, e.data, e.by_agent, e.by_user, e.by_host FROM event e
            LEFT JOIN run r ON r.id = e.run_id LEFT JOIN task t ON t.id = e.task_id LEFT JOIN attempt a ON a.id = e.attempt_id ",
            $rest
        )
    };
}

statements! {
    const INSERT =
        "INSERT INTO event (at, kind, run_id, task_id, attempt_id, thread_id, agent, data, wakes, by_agent, by_user, by_host)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    const INSERT_PAIR =
        "INSERT INTO event (at, kind, run_id, task_id, attempt_id, thread_id, agent, data, wakes, by_agent, by_user, by_host)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12),
        ($13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)";
    // The transitions of waiting and ready tasks to one state.
    const INSERT_IDLE_TRANSITIONS =
        "INSERT INTO event (at, kind, run_id, task_id, attempt_id, thread_id, agent, data, wakes, by_agent, by_user, by_host)
        SELECT CAST($2 AS BIGINT), CAST($3 AS TEXT), t.run_id, t.id, t.attempt_id, NULL, CAST($4 AS TEXT),
        '{\"from\":\"' || t.state || '\",\"to\":\"' || CAST($5 AS TEXT) || '\"}', CAST($6 AS BIGINT), CAST($4 AS TEXT), CAST($7 AS TEXT), CAST($8 AS TEXT)
        FROM task t WHERE t.id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND t.state IN ('waiting', 'ready') ORDER BY t.rank, t.id";
    const OF_RUN = select!("WHERE e.run_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3");
    const OF_NO_RUN = select!("WHERE e.run_id IS NULL AND e.id > $1 ORDER BY e.id LIMIT $2");
    const OF_TASK = select!("WHERE e.task_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3");
    const NEWEST_OF_RUN = select!("WHERE e.run_id = $1 ORDER BY e.id DESC LIMIT $2");
    const NEWEST_OF_NO_RUN = select!("WHERE e.run_id IS NULL ORDER BY e.id DESC LIMIT $1");
    const NEWEST_OF_TASK = select!("WHERE e.task_id = $1 ORDER BY e.id DESC LIMIT $2");
    const WAKING =
        select!("WHERE e.run_id = $1 AND e.wakes = 1 AND e.kind = $4 AND e.id > $2 ORDER BY e.id LIMIT $3");
    // The kinds of the index, as its condition names them.
    const REPORTED_KIND = select!("WHERE e.run_id = $1 AND e.kind IN ('landed', 'integrated', 'accepted', 'recalled', 'branch_advanced')
        AND e.kind = $4 AND e.id > $2 ORDER BY e.id LIMIT $3");
    const COUNT_REPORTED_KIND = "SELECT count(*) FROM event WHERE run_id = $1
        AND kind IN ('landed', 'integrated', 'accepted', 'recalled', 'branch_advanced') AND kind = $3 AND id > $2";
    const COUNT_WAKING = "SELECT count(*) FROM event WHERE run_id = $1 AND wakes = 1 AND kind = $3 AND id > $2";
    const AFTER_QUESTION = select!("WHERE e.task_id = (SELECT w.id FROM task w JOIN run o ON o.id = w.run_id WHERE o.name = $1 AND w.key = $2) AND e.id > $3
        AND e.kind IN ('answered', 'released', 'thread_done', 'thread_failed', 'thread_cancelled') ORDER BY e.id LIMIT 1");
    const LAST_OF_KIND = select!("WHERE e.run_id = $1 AND e.kind = $2 ORDER BY e.id DESC LIMIT 100");
    const JUDGEMENTS = select!("WHERE e.task_id = $1 AND e.kind IN ('accepted', 'rejected', 'done') ORDER BY e.id DESC LIMIT 100");
    // The newest review or acceptance of each reported attempt.
    const REVIEWS = select!(
        "WHERE e.id IN (SELECT max(n.id) FROM task w JOIN event n ON n.task_id = w.id AND n.attempt_id = w.attempt_id
        WHERE w.run_id = $1 AND w.state = 'reported' AND n.kind IN ('review', 'accepted') GROUP BY w.id) ORDER BY e.id"
    );
    const REVIEWS_OF_TASK = select!("WHERE e.task_id = $1 AND e.kind IN ('review', 'accepted') ORDER BY e.id DESC LIMIT 100");
    const COUNT_OF_RUN = "SELECT count(*) FROM event WHERE run_id = $1 AND id > $2";
    const COUNT_OF_NO_RUN = "SELECT count(*) FROM event WHERE run_id IS NULL AND id > $1";
    const COUNT_OF_TASK = "SELECT count(*) FROM event WHERE task_id = $1 AND id > $2";
    const NEWEST = "SELECT max(id) FROM event";
    const ENDED_AFTER = "SELECT r.id FROM run r WHERE EXISTS (SELECT 1 FROM event e INDEXED BY event_wakes
        WHERE e.run_id = r.id AND e.wakes = 1 AND e.kind IN ('finished', 'run_cancelled') AND e.id > $1) ORDER BY r.id";
}

fn event_from_row(row: &dyn SqlRow) -> Result<Event, Fault> {
    let run = slug_or_null(row, 3)?;
    let task = run.clone().zip(slug_or_null(row, 4)?).map(|(run, key)| TaskName { run, key });
    let attempt = task.clone().zip(count_or_null(row, 5)?).map(|(task, number)| AttemptName { task, number });
    Ok(Event {
        id: EventId(row.int(0)?),
        at: time_column(row, 1)?,
        kind: name_column(row, 2, "event", EventKind::parse)?,
        run,
        task,
        attempt,
        thread: row.int_or_null(6)?.map(ThreadId),
        agent: slug_or_null(row, 7)?,
        data: row.text(8)?,
        by: EventAuthor {
            agent: slug_or_null(row, 9)?,
            process: ActingProcess { user: row.text_or_null(10)?, host: row.text_or_null(11)? },
        },
    })
}

/// Appends an event.
pub fn insert(tx: &mut Transaction<'_>, event: &NewEvent, now: Time) -> Result<(), Fault> {
    let data = data_text(&event.data);
    let process = tx.acting_process();
    tx.execute(INSERT, &event_values(event, &data, &process, now)).map(|_| ())
}

/// Appends two events in one statement.
pub fn insert_pair(
    tx: &mut Transaction<'_>,
    first: &NewEvent,
    second: &NewEvent,
    now: Time,
) -> Result<(), Fault> {
    let data = [data_text(&first.data), data_text(&second.data)];
    let process = tx.acting_process();
    let values =
        [event_values(first, &data[0], &process, now), event_values(second, &data[1], &process, now)];
    tx.execute(INSERT_PAIR, values.as_flattened()).map(|_| ())
}

/// Appends the events of those of some tasks that are waiting or ready and go to a state together.
pub fn insert_idle_transitions(
    tx: &mut Transaction<'_>,
    tasks: &[TaskId],
    transition: (EventKind, TaskState),
    agent: Option<&Slug>,
    now: Time,
) -> Result<(), Fault> {
    let (kind, to) = transition;
    let process = tx.acting_process();
    let tasks = id_list(tasks.iter().map(|id| id.0));
    let values: [SqlParameter<'_>; 8] = [
        tasks.as_str().into(),
        now.0.into(),
        kind.name().into(),
        agent.map(Slug::as_str).into(),
        to.name().into(),
        kind.wakes_lead().into(),
        process.user.as_deref().into(),
        process.host.as_deref().into(),
    ];
    tx.execute(INSERT_IDLE_TRANSITIONS, &values).map(|_| ())
}

fn event_values<'v>(
    event: &'v NewEvent,
    data: &'v str,
    process: &'v ActingProcess,
    now: Time,
) -> [SqlParameter<'v>; 12] {
    let about = event.about;
    [
        now.0.into(),
        event.kind.name().into(),
        about.run.map(|run| run.0).into(),
        about.task.map(|task| task.0).into(),
        about.attempt.map(|attempt| attempt.0).into(),
        about.thread.map(|thread| thread.0).into(),
        event.agent.as_ref().map(Slug::as_str).into(),
        data.into(),
        event.kind.wakes_lead().into(),
        event.by.as_ref().map(Slug::as_str).into(),
        process.user.as_deref().into(),
        process.host.as_deref().into(),
    ]
}

fn data_text(data: &[(&'static str, EventDatum)]) -> String {
    if data.is_empty() {
        return "{}".to_owned();
    }
    let object = data.iter().map(|(name, datum)| {
        let value = match datum {
            EventDatum::Text(text) => serde_json::Value::from(text.as_str()),
            EventDatum::Number(number) => serde_json::Value::from(*number),
            EventDatum::Flag(flag) => serde_json::Value::from(*flag),
            EventDatum::List(list) => serde_json::Value::from(list.clone()),
        };
        ((*name).to_owned(), value)
    });
    serde_json::Value::Object(object.collect()).to_string()
}

/// Lists a run's events after one, oldest first.
pub fn list_by_run(
    tx: &mut Transaction<'_>,
    run: RunId,
    after: EventId,
    limit: u32,
) -> Result<Vec<Event>, Fault> {
    tx.query_all(OF_RUN, &[run.0.into(), after.0.into(), limit.into()], event_from_row)
}

/// Lists events without a run after one, oldest first.
pub fn list_without_run(tx: &mut Transaction<'_>, after: EventId, limit: u32) -> Result<Vec<Event>, Fault> {
    tx.query_all(OF_NO_RUN, &[after.0.into(), limit.into()], event_from_row)
}

/// Lists a task's events after one, oldest first.
pub fn list_by_task(
    tx: &mut Transaction<'_>,
    task: TaskId,
    after: EventId,
    limit: u32,
) -> Result<Vec<Event>, Fault> {
    tx.query_all(OF_TASK, &[task.0.into(), after.0.into(), limit.into()], event_from_row)
}

/// Lists a run's newest events, newest first.
pub fn list_newest_by_run(tx: &mut Transaction<'_>, run: RunId, limit: u32) -> Result<Vec<Event>, Fault> {
    tx.query_all(NEWEST_OF_RUN, &[run.0.into(), limit.into()], event_from_row)
}

/// Lists the newest events without a run, newest first.
pub fn list_newest_without_run(tx: &mut Transaction<'_>, limit: u32) -> Result<Vec<Event>, Fault> {
    tx.query_all(NEWEST_OF_NO_RUN, &[limit.into()], event_from_row)
}

/// Lists a task's newest events, newest first.
pub fn list_newest_by_task(tx: &mut Transaction<'_>, task: TaskId, limit: u32) -> Result<Vec<Event>, Fault> {
    tx.query_all(NEWEST_OF_TASK, &[task.0.into(), limit.into()], event_from_row)
}

/// Returns the last 100 events of a kind in a run, newest first; there is no index for it.
pub fn last_of_kind(tx: &mut Transaction<'_>, run: RunId, kind: EventKind) -> Result<Vec<Event>, Fault> {
    tx.query_all(LAST_OF_KIND, &[run.0.into(), kind.name().into()], event_from_row)
}

/// Returns the last 100 events that judged attempts at a task, newest first.
pub fn list_judgements(tx: &mut Transaction<'_>, task: TaskId) -> Result<Vec<Event>, Fault> {
    tx.query_all(JUDGEMENTS, &[task.0.into()], event_from_row)
}

/// Lists the newest review or acceptance of each reported attempt of a run, oldest first.
pub fn list_reviews(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<Event>, Fault> {
    tx.query_all(REVIEWS, &[run.0.into()], event_from_row)
}

/// Returns the last 100 reviews and acceptances of attempts at a task, newest first.
pub fn list_reviews_of_task(tx: &mut Transaction<'_>, task: TaskId) -> Result<Vec<Event>, Fault> {
    tx.query_all(REVIEWS_OF_TASK, &[task.0.into()], event_from_row)
}

/// Lists a run's events of these kinds after one, oldest first.
pub fn list_of_kinds(
    tx: &mut Transaction<'_>,
    run: RunId,
    after: EventId,
    kinds: &[EventKind],
    limit: u32,
) -> Result<Vec<Event>, Fault> {
    // One query per kind: there may be many events of other kinds.
    let mut events = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        if kinds[..index].contains(kind) {
            continue;
        }
        events.extend(tx.query_all(
            WAKING,
            &[run.0.into(), after.0.into(), limit.into(), kind.name().into()],
            event_from_row,
        )?);
    }
    events.sort_by_key(|event| event.id);
    events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(events)
}

/// Returns whether the events of a kind have an index besides that of the kinds that wake a lead.
fn is_indexed_for_reports(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Landed
            | EventKind::Integrated
            | EventKind::Accepted
            | EventKind::Recalled
            | EventKind::BranchAdvanced
    )
}

/// Lists the first events of a run after one, of a kind that wakes a lead or that reports list, oldest first.
pub fn list_reported(
    tx: &mut Transaction<'_>,
    run: RunId,
    kind: EventKind,
    after: EventId,
    limit: u32,
) -> Result<Vec<Event>, Fault> {
    let statement = if is_indexed_for_reports(kind) { REPORTED_KIND } else { WAKING };
    tx.query_all(statement, &[run.0.into(), after.0.into(), limit.into(), kind.name().into()], event_from_row)
}

/// Counts the events that [`list_reported`] lists without a limit.
pub fn count_reported(
    tx: &mut Transaction<'_>,
    run: RunId,
    kind: EventKind,
    after: EventId,
) -> Result<u64, Fault> {
    let statement = if is_indexed_for_reports(kind) { COUNT_REPORTED_KIND } else { COUNT_WAKING };
    let count = tx.query_number(statement, &[run.0.into(), after.0.into(), kind.name().into()])?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns the event that answered or withdrew a question of a task's thread, if there is one.
pub fn after_question(
    tx: &mut Transaction<'_>,
    task: &TaskName,
    question: EventId,
) -> Result<Option<Event>, Fault> {
    tx.query_first(
        AFTER_QUESTION,
        &[task.run.as_str().into(), task.key.as_str().into(), question.0.into()],
        event_from_row,
    )
}

/// Counts the events of a run after one.
pub fn count_of_run(tx: &mut Transaction<'_>, run: RunId, after: EventId) -> Result<i64, Fault> {
    tx.query_number(COUNT_OF_RUN, &[run.0.into(), after.0.into()])
}

/// Counts the events without a run after one.
pub fn count_of_no_run(tx: &mut Transaction<'_>, after: EventId) -> Result<i64, Fault> {
    tx.query_number(COUNT_OF_NO_RUN, &[after.0.into()])
}

/// Counts the events of a task after one.
pub fn count_of_task(tx: &mut Transaction<'_>, task: TaskId, after: EventId) -> Result<i64, Fault> {
    tx.query_number(COUNT_OF_TASK, &[task.0.into(), after.0.into()])
}

/// Returns the newest event of the store; 0 when there is none.
pub fn newest_id(tx: &mut Transaction<'_>) -> Result<EventId, Fault> {
    tx.query_number(NEWEST, &[]).map(EventId)
}

/// Returns runs that ended after an event.
pub fn runs_ended_after(tx: &mut Transaction<'_>, after: EventId) -> Result<Vec<RunId>, Fault> {
    tx.query_all(ENDED_AFTER, &[after.0.into()], |row| row.int(0).map(RunId))
}
