//! Rows that tests need to have rows of their own.

use std::sync::OnceLock;

use orch_core::id::{AttemptId, RunId, Slug, TaskId, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::run::{DoneWhen, Policy, Run};
use orch_core::task::{ChecksStatus, Task, TaskState, TaskText};
use orch_core::thread::{AttemptReference, NewThread, Thread, ThreadKind};
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, run, task, thread};
use orch_store::{Fault, Store, Transaction, TxEnd};

pub(crate) const NOW: Time = Time(1_000);

pub(crate) fn test_slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

/// Keeps what `work` writes.
pub(crate) fn write_store<T>(
    store: &mut Store,
    work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
) -> T {
    store.write(WriteDurability::Power, |tx| work(tx).map(TxEnd::Commit)).unwrap()
}

pub(crate) fn read_store<T>(store: &mut Store, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> T {
    store.read(work).unwrap()
}

pub(crate) fn test_policy() -> Policy {
    Policy {
        done_when: DoneWhen::Reported,
        max_active: Some(4),
        max_attempts: 3,
        retry_delay: TimeSpan::from_seconds(10),
        lease: LeaseLength::new(TimeSpan::from_seconds(90)).unwrap(),
        answer_after: Some(TimeSpan::from_minutes(5)),
    }
}

/// A new run, loaded.
pub(crate) fn new_run(tx: &mut Transaction<'_>, name: &str) -> Result<Run, Fault> {
    let name = test_slug(name);
    let new = run::NewRunRow {
        name: &name,
        title: "A run",
        goal: Some("To be done."),
        policy: &test_policy(),
        ground: None,
        folder: None,
    };
    let id = run::insert(tx, new, NOW)?;
    Ok(run::load(tx, id)?.unwrap())
}

/// A new ready task, loaded.
pub(crate) fn new_task(tx: &mut Transaction<'_>, run: RunId, key: &str) -> Result<Task, Fault> {
    ready_task(tx, run, key, 2, 0, &[])
}

/// A new ready task with what orders and finds it.
pub(crate) fn ready_task(
    tx: &mut Transaction<'_>,
    run: RunId,
    key: &str,
    priority: u8,
    rank: u32,
    labels: &[&str],
) -> Result<Task, Fault> {
    let key = test_slug(key);
    let labels: Vec<Slug> = labels.iter().map(|label| test_slug(label)).collect();
    let new = task::NewTaskRow {
        run,
        key: &key,
        title: "Do it",
        priority,
        labels: &labels,
        agent: None,
        state: TaskState::Ready,
        unmet: 0,
        broken: 0,
        rank,
        max_attempts: None,
        allow_empty: false,
        text: &TaskText::default(),
    };
    let id = task::insert(tx, new, NOW)?;
    load_task(tx, id)
}

pub(crate) fn load_task(tx: &mut Transaction<'_>, id: TaskId) -> Result<Task, Fault> {
    Ok(task::load(tx, id)?.unwrap())
}

/// The fields of a new attempt of some agent.
pub(crate) fn attempt_row(
    id: AttemptId,
    task: &Task,
    number: u32,
    thread: ThreadId,
) -> attempt::NewAttemptRow<'_> {
    let agent = match number {
        1 => CREW.get_or_init(|| test_slug("crew")),
        _ => WORKER.get_or_init(|| test_slug("w")),
    };
    attempt::NewAttemptRow { id, task, number, agent, thread: Some(thread), checks: ChecksStatus::None }
}

static CREW: OnceLock<Slug> = OnceLock::new();
static WORKER: OnceLock<Slug> = OnceLock::new();

pub(crate) fn thread_head(to: &str, priority: u8, reference: Option<AttemptReference>) -> NewThread {
    NewThread {
        kind: ThreadKind::Work,
        subject: "Do it".to_owned(),
        from: test_slug("lead"),
        to: test_slug(to),
        priority,
        lease_length: LeaseLength::new(TimeSpan::from_seconds(8)).unwrap(),
        answer_after: None,
        reference,
    }
}

/// A new queued thread.
pub(crate) fn new_thread(tx: &mut Transaction<'_>, to: &str, priority: u8) -> Result<Thread, Fault> {
    thread::insert(tx, thread_head(to, priority, None), NOW)
}
