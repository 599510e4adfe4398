//! `orch task list`: lists tasks, oldest first.

use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_core::task::{Task, TaskState};
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::task as task_table;

use orch_inbox::page::cut_page;
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{TaskOverview, lookup};

/// A selection of tasks.
#[derive(Clone, Debug)]
pub struct TaskListRequest {
    /// The run.
    pub run: Option<Slug>,
    /// Only tasks in these states; all states when empty.
    pub states: Vec<TaskState>,
    /// Only tasks with this label.
    pub label: Option<Slug>,
    /// The page.
    pub page: PageRequest,
}

/// Lists tasks, oldest first.
///
/// # Errors
/// The run does not exist.
pub fn list_tasks(
    session: &mut Session,
    request: &TaskListRequest,
) -> Result<ResultPage<TaskOverview>, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, request.run.as_ref())?;
        let after = orch_scheduler::run::task_cursor(tx, &run, &request.page)?;
        let (tasks, total) = select_tasks(tx, &run, request, after)?;
        let shown = lookup::task_overviews(tx, tasks)?;
        let total = u64::try_from(total).unwrap_or(0);
        Ok(cut_page(shown, request.page.limit, total, |shown: &TaskOverview| shown.task.name.key.to_string()))
    })
}

/// Selects tasks, one more than the limit, and counts them.
fn select_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    request: &TaskListRequest,
    after: TaskId,
) -> Result<(Vec<Task>, i64), Error> {
    let limit = request.page.limit.saturating_add(1);
    let mut states = request.states.clone();
    states.sort_unstable();
    states.dedup();
    let Some(label) = &request.label else {
        if states.is_empty() {
            return Ok((task_table::list(tx, run.id, after, limit)?, run.counts.total()));
        }
        let tasks = task_table::list_in_states(tx, run.id, &states, after, limit)?;
        return Ok((tasks, states.iter().map(|state| run.counts.in_state(*state)).sum()));
    };
    if states.is_empty() {
        return Ok(task_table::list_labelled(tx, run.id, label, None, after, limit)?);
    }
    let (mut tasks, mut total) = (Vec::new(), 0);
    for state in &states {
        let (found, count) = task_table::list_labelled(tx, run.id, label, Some(*state), after, limit)?;
        tasks.extend(found);
        total += count;
    }
    tasks.sort_by_key(|task| task.id);
    Ok((tasks, total))
}
