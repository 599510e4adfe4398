//! Rows that tests need to have rows of their own.

use std::sync::OnceLock;

use orch_core::id::{AttemptId, RunId, Slug, TaskId, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::run::{DoneWhen, Policy, Run};
use orch_core::task::{Checks, Task, TaskState, TaskText};
use orch_core::thread::{NewThread, Reference, Thread, ThreadKind};
use orch_core::time::{Span, Time};
use orch_store::driver::Durability;
use orch_store::table::{attempt, run, task, thread};
use orch_store::{Ending, Fault, Store, Transaction};

pub(crate) const NOW: Time = Time(1_000);

pub(crate) fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

/// Keeps what `work` writes.
pub(crate) fn write<T>(store: &mut Store, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> T {
    store.write(Durability::Power, |tx| work(tx).map(Ending::Keep)).unwrap()
}

pub(crate) fn read<T>(store: &mut Store, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> T {
    store.read(work).unwrap()
}

pub(crate) fn policy() -> Policy {
    Policy {
        done_when: DoneWhen::Reported,
        max_active: Some(4),
        max_attempts: 3,
        retry_delay: Span::seconds(10),
        lease: LeaseLength::new(Span::seconds(90)).unwrap(),
        answer_after: Some(Span::minutes(5)),
    }
}

/// A new run, loaded.
pub(crate) fn new_run(tx: &mut Transaction<'_>, name: &str) -> Result<Run, Fault> {
    let name = slug(name);
    let new = run::NewRow {
        name: &name,
        title: "A run",
        goal: Some("To be done."),
        policy: &policy(),
        ground: None,
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
    let key = slug(key);
    let labels: Vec<Slug> = labels.iter().map(|label| slug(label)).collect();
    let new = task::NewRow {
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

/// What a new attempt of nobody in particular is made of.
pub(crate) fn attempt_row(id: AttemptId, task: &Task, number: u32, thread: ThreadId) -> attempt::NewRow<'_> {
    let agent = match number {
        1 => CREW.get_or_init(|| slug("crew")),
        _ => WORKER.get_or_init(|| slug("w")),
    };
    attempt::NewRow { id, task, number, agent, thread: Some(thread), checks: Checks::None }
}

static CREW: OnceLock<Slug> = OnceLock::new();
static WORKER: OnceLock<Slug> = OnceLock::new();

pub(crate) fn head(to: &str, priority: u8, reference: Option<Reference>) -> NewThread {
    NewThread {
        kind: ThreadKind::Work,
        subject: "Do it".to_owned(),
        from: slug("lead"),
        to: slug(to),
        priority,
        lease_length: LeaseLength::new(Span::seconds(8)).unwrap(),
        answer_after: None,
        reference,
    }
}

/// A new queued thread.
pub(crate) fn new_thread(tx: &mut Transaction<'_>, to: &str, priority: u8) -> Result<Thread, Fault> {
    thread::insert(tx, head(to, priority, None), NOW)
}
