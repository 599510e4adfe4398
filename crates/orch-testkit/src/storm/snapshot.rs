//! A snapshot of the store, from which valid commands are drawn.

use std::collections::HashMap;

use orch_store::driver::SqlRow;
use orch_store::{Fault, Statement, Store, StoreLocation, StoreOptions};

use crate::program::TestPrograms;

const THREADS: Statement = Statement::new(
    "SELECT id, to_agent, state, coalesce(attempt_id, 0) FROM thread
WHERE kind = 'work' AND withdrawn = 0 AND state IN ('queued', 'claimed', 'blocked')
ORDER BY CASE state WHEN 'queued' THEN 1 ELSE 0 END, id DESC LIMIT 60",
);

const TASKS: Statement = Statement::new("SELECT r.name, t.key, t.state FROM task t JOIN run r ON r.id = t.run_id
WHERE r.state != 'cancelled' ORDER BY CASE t.state WHEN 'waiting' THEN 1 WHEN 'done' THEN 1 ELSE 0 END, t.id DESC LIMIT 80");

const DEPENDENCIES: Statement = Statement::new("SELECT r.name, t.key, o.key FROM dependency d JOIN task t ON t.id = d.task_id
JOIN task o ON o.id = d.on_id JOIN run r ON r.id = t.run_id WHERE t.state = 'waiting' ORDER BY t.id DESC LIMIT 20");

const RUNS: Statement = Statement::new("SELECT name, state FROM run ORDER BY id DESC LIMIT 8");

const NEWEST: Statement = Statement::new(
    "SELECT coalesce((SELECT max(id) FROM message), 0), coalesce((SELECT max(id) FROM event), 0)",
);

/// A work thread.
#[derive(Clone, Debug)]
pub(super) struct ThreadSnapshot {
    pub(super) id: i64,
    pub(super) to: String,
    pub(super) state: String,
    /// Whether an attempt owns the thread.
    pub(super) owned: bool,
}

/// A task of a run that is not cancelled.
#[derive(Clone, Debug)]
pub(super) struct TaskSnapshot {
    pub(super) run: String,
    pub(super) key: String,
    pub(super) state: String,
}

/// A snapshot of the store.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreSnapshot {
    pub(super) threads: Vec<ThreadSnapshot>,
    pub(super) tasks: Vec<TaskSnapshot>,
    /// Dependencies: the run, the task, and the task it waits for.
    pub(super) dependencies: Vec<(String, String, String)>,
    /// Runs: name and state.
    pub(super) runs: Vec<(String, String)>,
    pub(super) newest_message: i64,
    pub(super) newest_event: i64,
    /// The issued tokens by thread.
    pub(super) tokens: HashMap<i64, String>,
}

impl StoreSnapshot {
    /// Reads the store and closes the connection, so that the next command opens a store without other
    /// connections.
    pub(super) fn read_store(programs: &TestPrograms, tokens: HashMap<i64, String>) -> Result<Self, Fault> {
        let mut store = open_store(programs)?;
        store.read(|tx| {
            let threads = tx.query_all(THREADS, &[], thread_from_row)?;
            let tasks = tx.query_all(TASKS, &[], |row| {
                Ok(TaskSnapshot { run: row.text(0)?, key: row.text(1)?, state: row.text(2)? })
            })?;
            let dependencies =
                tx.query_all(DEPENDENCIES, &[], |row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)))?;
            let runs = tx.query_all(RUNS, &[], |row| Ok((row.text(0)?, row.text(1)?)))?;
            let newest = tx.query_first(NEWEST, &[], |row| Ok((row.int(0)?, row.int(1)?)))?;
            let (newest_message, newest_event) = newest.unwrap_or_default();
            Ok(Self { threads, tasks, dependencies, runs, newest_message, newest_event, tokens })
        })
    }

    /// Returns the threads in a state; the tokens of claimed ones are known.
    pub(super) fn threads_in(&self, state: &str) -> Vec<&ThreadSnapshot> {
        let held = |thread: &&ThreadSnapshot| state == "queued" || self.tokens.contains_key(&thread.id);
        self.threads.iter().filter(|thread| thread.state == state).filter(held).collect()
    }

    /// Returns the tasks in these states, as `RUN/KEY`.
    pub(super) fn tasks_in(&self, states: &[&str]) -> Vec<String> {
        let fits = |task: &&TaskSnapshot| states.contains(&task.state.as_str());
        self.tasks.iter().filter(fits).map(|task| format!("{}/{}", task.run, task.key)).collect()
    }

    /// Returns the runs in these states.
    pub(super) fn runs_in(&self, states: &[&str]) -> Vec<String> {
        let fits = |(_, state): &&(String, String)| states.contains(&state.as_str());
        self.runs.iter().filter(fits).map(|(name, _)| name.clone()).collect()
    }
}

fn thread_from_row(row: &dyn SqlRow) -> Result<ThreadSnapshot, Fault> {
    Ok(ThreadSnapshot { id: row.int(0)?, to: row.text(1)?, state: row.text(2)?, owned: row.int(3)? != 0 })
}

/// Opens the store without a repair.
pub(super) fn open_store(programs: &TestPrograms) -> Result<Store, Fault> {
    Store::open(&StoreLocation::Sqlite(programs.store().to_owned()), StoreOptions::default())
}
