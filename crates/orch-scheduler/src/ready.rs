//! `orch ready`: what can be dispatched now: by priority, then the longest chain of work behind it, then age.

use std::cmp::Reverse;

use orch_core::id::{Slug, TaskId};
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{Page, PageRequest};
use orch_store::table::task as task_table;

use super::stage::read_fresh;
use super::{TaskShown, scope};
use orch_inbox::page::{next_offset, offset};
use orch_inbox::{Error, Session};

/// Which tasks are wanted.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Of which run; of all unfinished ones when not given.
    pub run: Option<Slug>,
    /// With this label.
    pub label: Option<Slug>,
    /// Which part.
    pub page: PageRequest,
}

/// Lists what is ready. Tasks of paused runs and tasks that failed a moment ago are not.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn ready(session: &mut Session, request: &Ready) -> Result<Page<TaskShown>, Error> {
    let passed = offset(&request.page)?;
    read_fresh(session, |tx, now| {
        let mut runs = scope::runs(tx, request.run.as_ref())?;
        runs.retain(|run| run.state.status() == RunStatus::Open);
        let label = request.label.as_ref();
        let mut total = 0;
        for run in &runs {
            total += count(tx, run, label, now)?;
        }
        let total = u64::try_from(total).unwrap_or(0);
        let tasks = in_order(tx, &runs, label, now, request.page.limit, passed)?;
        let next = next_offset(passed, tasks.len(), total);
        let items = tasks.into_iter().map(|task| scope::shown(tx, task)).collect::<Result<_, _>>()?;
        Ok(Page { items, total, next })
    })
}

/// How many tasks of a run can be dispatched now.
fn count(tx: &mut Transaction<'_>, run: &Run, label: Option<&Slug>, now: Time) -> Result<i64, Error> {
    match label {
        Some(label) => Ok(task_table::ready_labelled(tx, run.id, label, now)?),
        None => Ok(run.counts.of(TaskState::Ready) - task_table::backing_off(tx, run.id, now)?),
    }
}

/// A task's place in the order of several runs: by priority, then the longest chain of work behind it, then age.
pub(crate) fn place(task: &Task) -> (u8, Reverse<u32>, TaskId) {
    (task.priority, Reverse(task.rank), task.id)
}

/// The tasks of several runs in one order.
fn in_order(
    tx: &mut Transaction<'_>,
    runs: &[Run],
    label: Option<&Slug>,
    now: Time,
    limit: u32,
    passed: u64,
) -> Result<Vec<Task>, Error> {
    if let [run] = runs {
        return Ok(task_table::ready(tx, run.id, label, now, limit, passed)?);
    }
    let reach = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(limit);
    let mut tasks = Vec::new();
    for run in runs {
        tasks.extend(task_table::ready(tx, run.id, label, now, reach, 0)?);
    }
    tasks.sort_by_key(place);
    let passed = usize::try_from(passed).unwrap_or(usize::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(tasks.into_iter().skip(passed).take(limit).collect())
}
