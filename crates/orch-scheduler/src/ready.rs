//! `orch ready`: what can be dispatched now: by priority, then the longest chain of work behind it, then age.

use std::cmp::Reverse;

use orch_core::id::{Slug, TaskId};
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::task as task_table;

use super::unit_of_work::read_fresh;
use super::{TaskOverview, lookup};
use orch_inbox::page::{offset_cursor, parse_offset};
use orch_inbox::{Error, Session};

/// Which tasks are wanted.
#[derive(Clone, Debug)]
pub struct ReadyRequest {
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
pub fn list_ready_tasks(
    session: &mut Session,
    request: &ReadyRequest,
) -> Result<ResultPage<TaskOverview>, Error> {
    let passed = parse_offset(&request.page)?;
    read_fresh(session, |tx, now| {
        let mut runs = lookup::find_runs(tx, request.run.as_ref())?;
        runs.retain(|run| run.state.status() == RunStatus::Open);
        let label = request.label.as_ref();
        let mut total = 0;
        for run in &runs {
            total += count_ready_tasks(tx, run, label, now)?;
        }
        let total = u64::try_from(total).unwrap_or(0);
        let tasks = select_in_order(tx, &runs, label, now, request.page.limit, passed)?;
        let next = offset_cursor(passed, tasks.len(), total);
        let items =
            tasks.into_iter().map(|task| lookup::task_overview(tx, task)).collect::<Result<_, _>>()?;
        Ok(ResultPage { items, total, next })
    })
}

/// How many tasks of a run can be dispatched now.
fn count_ready_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    label: Option<&Slug>,
    now: Time,
) -> Result<i64, Error> {
    match label {
        Some(label) => Ok(task_table::count_ready_labelled(tx, run.id, label, now)?),
        None => Ok(run.counts.in_state(TaskState::Ready) - task_table::count_backing_off(tx, run.id, now)?),
    }
}

/// A task's place in the order of several runs: by priority, then the longest chain of work behind it, then age.
pub(crate) fn dispatch_order(task: &Task) -> (u8, Reverse<u32>, TaskId) {
    (task.priority, Reverse(task.rank), task.id)
}

/// The tasks of several runs in one order.
fn select_in_order(
    tx: &mut Transaction<'_>,
    runs: &[Run],
    label: Option<&Slug>,
    now: Time,
    limit: u32,
    passed: u64,
) -> Result<Vec<Task>, Error> {
    if let [run] = runs {
        return Ok(task_table::list_ready(tx, run.id, label, now, limit, passed)?);
    }
    let reach = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(limit);
    let mut tasks = Vec::new();
    for run in runs {
        tasks.extend(task_table::list_ready(tx, run.id, label, now, reach, 0)?);
    }
    tasks.sort_by_key(dispatch_order);
    let passed = usize::try_from(passed).unwrap_or(usize::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(tasks.into_iter().skip(passed).take(limit).collect())
}
