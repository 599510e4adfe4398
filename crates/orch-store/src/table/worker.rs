//! Processes that work on threads.

use orch_core::id::{RunId, TaskId, ThreadId};
use orch_core::thread::ThreadStatus;
use orch_core::time::TimeSpan;
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};

use super::{id_list, name_column, require_present, slug_column, slug_or_null, time_column, time_or_null};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        select!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT w.thread_id, w.agent, w.host, w.process, w.tag, w.profile, w.log, w.grace_ms, w.session, w.started_at,
            w.output_at, w.commit_at, w.silent, w.activity, w.report, w.ended_at, w.outcome, w.detail",
            $more,
            " FROM worker w ",
            $rest
        )
    };
}

statements! {
    const PUT = "INSERT INTO worker (thread_id, agent, host, process, tag, profile, log, grace_ms, session, started_at,
        output_at, commit_at, silent, activity, report, ended_at, outcome, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT (thread_id) DO UPDATE SET agent = excluded.agent, host = excluded.host, process = excluded.process,
        tag = excluded.tag, profile = excluded.profile, log = excluded.log, grace_ms = excluded.grace_ms,
        session = excluded.session, started_at = excluded.started_at, output_at = excluded.output_at,
        commit_at = excluded.commit_at, silent = excluded.silent, activity = excluded.activity,
        report = excluded.report, ended_at = excluded.ended_at,
        outcome = excluded.outcome, detail = excluded.detail, awaits_slot = 0";
    const SET_AWAITS_SLOT = "UPDATE worker SET awaits_slot = $2, activity = $3 WHERE thread_id = $1";
    const AWAITS_SLOT = "SELECT awaits_slot FROM worker WHERE thread_id = $1";
    const LOAD = select!("WHERE w.thread_id = $1");
    const LOAD_MANY = select!("WHERE w.thread_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY w.thread_id");
    const LAST_PROFILES = "SELECT profile FROM worker WHERE profile IS NOT NULL ORDER BY thread_id DESC LIMIT $1";
    const LIVE = select!("INDEXED BY worker_live WHERE w.ended_at IS NULL ORDER BY w.thread_id");
    const LIVE_WITH_THREAD = select!(
        ", t.state, t.run_id, t.task_id, w.awaits_slot",
        "INDEXED BY worker_live JOIN thread t ON t.id = w.thread_id WHERE w.ended_at IS NULL ORDER BY w.thread_id"
    );
    const LIVE_OF_RUN = select!(
        "INDEXED BY worker_live JOIN thread t ON t.id = w.thread_id
        WHERE w.ended_at IS NULL AND t.run_id = $1 ORDER BY w.thread_id"
    );
}

/// A worker whose wrapper has not recorded its end, with what its thread says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveWorker {
    /// The worker.
    pub worker: Worker,
    /// The state of its thread.
    pub status: ThreadStatus,
    /// The run of its thread.
    pub run: Option<RunId>,
    /// The task of its thread.
    pub task: Option<TaskId>,
    /// Whether its question was answered, and it waits for a slot.
    pub awaits_slot: bool,
}

fn worker_from_row(row: &dyn SqlRow) -> Result<Worker, Fault> {
    let end = match time_or_null(row, 15)? {
        None => None,
        Some(at) => {
            let outcome = require_present(row.text_or_null(16)?, "worker", "outcome")?;
            let outcome =
                WorkerOutcome::parse(&outcome).ok_or(Fault::Value { table: "worker", value: outcome })?;
            Some(WorkerEnd { at, outcome, detail: row.text_or_null(17)? })
        }
    };
    Ok(Worker {
        thread: ThreadId(row.int(0)?),
        agent: slug_column(row, 1)?,
        host: row.text(2)?,
        process: row.text(3)?,
        tag: row.text(4)?,
        profile: slug_or_null(row, 5)?,
        log: row.text(6)?,
        grace: TimeSpan(row.int(7)?),
        session: row.text_or_null(8)?,
        started_at: time_column(row, 9)?,
        output_at: time_or_null(row, 10)?,
        commit_at: time_or_null(row, 11)?,
        silent: row.int(12)? != 0,
        activity: row.text_or_null(13)?,
        report: row.text_or_null(14)?,
        end,
    })
}

/// Saves the worker of a thread, replacing the previous one.
pub fn upsert(tx: &mut Transaction<'_>, worker: &Worker) -> Result<(), Fault> {
    let end = worker.end.as_ref();
    let values: [SqlParameter<'_>; 18] = [
        worker.thread.0.into(),
        worker.agent.as_str().into(),
        worker.host.as_str().into(),
        worker.process.as_str().into(),
        worker.tag.as_str().into(),
        worker.profile.as_ref().map(orch_core::id::Slug::as_str).into(),
        worker.log.as_str().into(),
        worker.grace.0.into(),
        worker.session.as_deref().into(),
        worker.started_at.0.into(),
        worker.output_at.map(|at| at.0).into(),
        worker.commit_at.map(|at| at.0).into(),
        worker.silent.into(),
        worker.activity.as_deref().into(),
        worker.report.as_deref().into(),
        end.map(|end| end.at.0).into(),
        end.map(|end| end.outcome.name()).into(),
        end.and_then(|end| end.detail.as_deref()).into(),
    ];
    tx.execute(PUT, &values).map(|_| ())
}

/// Saves that the worker of a thread waits for a slot, in these words, or no longer; another change of it ends the wait.
pub fn set_awaiting_slot(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    activity: Option<&str>,
) -> Result<(), Fault> {
    let awaits = i64::from(activity.is_some());
    tx.execute(SET_AWAITS_SLOT, &[thread.0.into(), awaits.into(), activity.into()]).map(|_| ())
}

/// Returns whether the worker of a thread waits for a slot.
pub fn is_awaiting_slot(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<bool, Fault> {
    Ok(tx.query_first(AWAITS_SLOT, &[thread.0.into()], |row| row.int(0))?.is_some_and(|awaits| awaits != 0))
}

/// Loads the last worker of a thread.
pub fn load(tx: &mut Transaction<'_>, thread: ThreadId) -> Result<Option<Worker>, Fault> {
    tx.query_first(LOAD, &[thread.0.into()], worker_from_row)
}

/// Returns the profiles of the workers that were started last, the newest first, each once.
pub fn last_profiles(tx: &mut Transaction<'_>, limit: u32) -> Result<Vec<String>, Fault> {
    let mut profiles: Vec<String> = Vec::new();
    for profile in tx.query_all(LAST_PROFILES, &[limit.into()], |row| row.text(0))? {
        if !profiles.contains(&profile) {
            profiles.push(profile);
        }
    }
    Ok(profiles)
}

/// Lists workers that have not ended, of one run or of all threads.
pub fn list_live(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Worker>, Fault> {
    match run {
        Some(run) => tx.query_all(LIVE_OF_RUN, &[run.0.into()], worker_from_row),
        None => tx.query_all(LIVE, &[], worker_from_row),
    }
}

/// Loads the last workers of several threads, in the order of the threads; threads without one are left out.
pub fn load_many(tx: &mut Transaction<'_>, threads: &[ThreadId]) -> Result<Vec<Worker>, Fault> {
    let threads = id_list(threads.iter().map(|id| id.0));
    tx.query_all(LOAD_MANY, &[threads.as_str().into()], worker_from_row)
}

/// Lists the workers whose wrapper has not recorded their end, with the state, run and task of their threads.
pub fn list_live_with_threads(tx: &mut Transaction<'_>) -> Result<Vec<LiveWorker>, Fault> {
    tx.query_all(LIVE_WITH_THREAD, &[], |row| {
        Ok(LiveWorker {
            worker: worker_from_row(row)?,
            status: name_column(row, 18, "thread", ThreadStatus::parse)?,
            run: row.int_or_null(19)?.map(RunId),
            task: row.int_or_null(20)?.map(TaskId),
            awaits_slot: row.int(21)? != 0,
        })
    })
}
