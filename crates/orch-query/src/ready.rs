//! `orch ready`: the tasks that can be dispatched now, by priority, then the longest chain behind them, then age.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::id::{RunId, Slug, TaskId, TaskName};
use orch_core::run::reserve::{BudgetFacts, BudgetShortage};
use orch_core::run::{Budget, Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::task::{self as task_table, ReadyPosition};

use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Session};
use orch_scheduler::budget::load_budget_facts;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{TaskOverview, lookup};

/// A selection of ready tasks.
#[derive(Clone, Debug)]
pub struct ReadyRequest {
    /// Only tasks of this run; of all unfinished runs when not given.
    pub run: Option<Slug>,
    /// Only tasks with this label.
    pub label: Option<Slug>,
    /// The page.
    pub page: PageRequest,
}

/// A page of ready tasks.
#[derive(Clone, Debug)]
pub struct ReadyPage {
    /// The tasks that can be dispatched now.
    pub tasks: ResultPage<TaskOverview>,
    /// The tasks of this page that the budget keeps from being dispatched.
    pub refused: Vec<(TaskName, BudgetShortage)>,
}

/// Lists the tasks that can be dispatched now.
///
/// Tasks of paused runs, and tasks that wait for a retry delay, are left out.
///
/// # Errors
/// The run does not exist, or the cursor is invalid.
pub fn list_ready_tasks(session: &mut Session, request: &ReadyRequest) -> Result<ReadyPage, Error> {
    let after = request.page.after.as_deref().map(parse_ready_cursor).transpose()?;
    read_fresh(session, |tx, now| {
        let mut runs = lookup::find_runs(tx, request.run.as_ref())?;
        runs.retain(|run| run.state.status() == RunStatus::Open);
        let label = request.label.as_ref();
        let budgets = load_budgets(tx, &runs, now)?;
        let mut total = 0;
        for run in &runs {
            total += match budgets.get(&run.id) {
                Some(facts) => count_affordable_tasks(tx, run, facts, label, now)?,
                None => count_ready_tasks(tx, run, label, now)?,
            };
        }
        let total = u64::try_from(total).unwrap_or(0);
        let limit = request.page.limit;
        let tasks = select_in_order(tx, &runs, label, now, limit.saturating_add(1), after)?;
        let page =
            cut_page(tasks, limit, total, |last| format!("p-{}-{}-{}", last.priority, last.rank, last.id.0));
        let (affordable, refused) = split_by_budget(&runs, &budgets, page.items, now);
        let tasks = ResultPage { items: lookup::task_overviews(tx, affordable)?, total, next: page.next };
        Ok(ReadyPage { tasks, refused })
    })
}

/// Loads what the budgets of runs with limits depend on.
fn load_budgets(
    tx: &mut Transaction<'_>,
    runs: &[Run],
    now: Time,
) -> Result<BTreeMap<RunId, BudgetFacts>, Error> {
    let mut budgets = BTreeMap::new();
    for run in runs.iter().filter(|run| run.budget != Budget::default()) {
        budgets.insert(run.id, load_budget_facts(tx, run, &BTreeSet::new(), now)?);
    }
    Ok(budgets)
}

/// Counts the ready tasks of a run that its budget allows to be dispatched.
fn count_affordable_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    facts: &BudgetFacts,
    label: Option<&Slug>,
    now: Time,
) -> Result<i64, Error> {
    let ready = task_table::list_ready(tx, run.id, label, now, u32::MAX, None)?;
    let affordable = ready.iter().filter(|task| find_shortage(run, facts, task, now).is_none());
    Ok(i64::try_from(affordable.count()).unwrap_or(i64::MAX))
}

fn find_shortage(run: &Run, facts: &BudgetFacts, task: &Task, now: Time) -> Option<BudgetShortage> {
    facts.find_shortage(run, task, task.agent.as_ref(), now)
}

/// Separates the tasks that the budgets of their runs allow to be dispatched from the others.
fn split_by_budget(
    runs: &[Run],
    budgets: &BTreeMap<RunId, BudgetFacts>,
    tasks: Vec<Task>,
    now: Time,
) -> (Vec<Task>, Vec<(TaskName, BudgetShortage)>) {
    let (mut affordable, mut refused) = (Vec::new(), Vec::new());
    for task in tasks {
        let run = runs.iter().find(|run| run.id == task.run);
        let limited = run.and_then(|run| Some((run, budgets.get(&run.id)?)));
        match limited.and_then(|(run, facts)| find_shortage(run, facts, &task, now)) {
            Some(short) => refused.push((task.name, short)),
            None => affordable.push(task),
        }
    }
    (affordable, refused)
}

/// Parses the position behind which a page begins.
fn parse_ready_cursor(cursor: &str) -> Result<ReadyPosition, Error> {
    let parse = || {
        let mut parts = cursor.strip_prefix("p-")?.splitn(3, '-');
        Some(ReadyPosition {
            priority: parts.next()?.parse().ok()?,
            rank: parts.next()?.parse().ok()?,
            task: TaskId(parts.next()?.parse().ok()?),
        })
    };
    parse().ok_or_else(invalid_cursor)
}

/// Counts the tasks of a run that can be dispatched now.
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

/// Lists the ready tasks of several runs in one order.
fn select_in_order(
    tx: &mut Transaction<'_>,
    runs: &[Run],
    label: Option<&Slug>,
    now: Time,
    limit: u32,
    after: Option<ReadyPosition>,
) -> Result<Vec<Task>, Error> {
    let mut tasks = Vec::new();
    for run in runs {
        tasks.extend(task_table::list_ready(tx, run.id, label, now, limit, after)?);
    }
    tasks.sort_by_key(Task::dispatch_order);
    tasks.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(tasks)
}
