//! `orch status`: one run at a glance. Costs what it shows, never what the run holds.

use orch_core::id::{Slug, TaskId};
use orch_core::limit;
use orch_core::message::MessageKind;
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::thread::decide as thread_decide;
use orch_core::time::{Time, TimeSpan};
use orch_store::Transaction;
use orch_store::table::{attempt, dependency, message, task as task_table, thread};

use super::blocked::{self, QuestionSummary};
use super::clashes::AttemptClash;
use super::unit_of_work::read_fresh;
use super::{TaskOverview, clashes, lookup, work_message};
use orch_inbox::{Error, Session};

/// A task under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUnderWay {
    /// The task.
    pub shown: TaskOverview,
    /// Since when its attempt is under way.
    pub since: Time,
    /// What its worker last said of its progress.
    pub progress: Option<String>,
    /// How far it says it is, 0 to 100.
    pub percent: Option<u8>,
    /// When the lease of its thread expires.
    pub lease_expires_at: Option<Time>,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// The task.
    pub shown: TaskOverview,
    /// Why its last attempt failed.
    pub reason: Option<String>,
}

/// One run at a glance. Each list has at most 20 entries; the run's counts say how many there are.
#[derive(Clone, Debug)]
pub struct RunOverview {
    /// The run, with its counts.
    pub run: Run,
    /// Tasks under way, oldest first.
    pub active: Vec<TaskUnderWay>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionSummary>,
    /// What can be dispatched now, in order.
    pub ready: Vec<TaskOverview>,
    /// Failed tasks, oldest first.
    pub failed: Vec<TaskFailure>,
    /// Attempts under way that do not merge with each other as they are now.
    pub clashes: Vec<AttemptClash>,
    /// Keys of the longest chain of unfinished tasks, in order; its first 20.
    pub critical_path: Vec<Slug>,
    /// How long the rest will take, where finished attempts tell.
    pub eta: Option<TimeSpan>,
    /// When this was true.
    pub now: Time,
}

/// Shows a run's status.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn load_overview(session: &mut Session, run: Option<&Slug>) -> Result<RunOverview, Error> {
    let (mut status, candidates) = collect_overview(session, run)?;
    // A repository that cannot be asked keeps nobody from seeing how the run is.
    status.clashes = clashes::find_clashes(session, &status.run, candidates).unwrap_or_default();
    Ok(status)
}

/// Shows the same but the clashes, for which git would have to be asked.
///
/// # Errors
/// As [`load_overview`].
pub fn load_overview_without_clashes(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<RunOverview, Error> {
    Ok(collect_overview(session, run)?.0)
}

fn collect_overview(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<(RunOverview, Vec<clashes::ClashCandidate>), Error> {
    read_fresh(session, |tx, now| {
        let run = lookup::find_run(tx, run)?;
        let ready = if run.state.status() == RunStatus::Open {
            task_table::list_ready(tx, run.id, None, now, limit::STATUS_SHOWN, 0)?
        } else {
            Vec::new()
        };
        let critical = critical_path(tx, &run)?;
        let candidates = clashes::clash_candidates(tx, &run)?;
        let status = RunOverview {
            active: tasks_under_way(tx, &run)?,
            questions: blocked::open_questions(tx, &run, now, limit::STATUS_SHOWN)?,
            ready: ready.into_iter().map(|task| lookup::task_overview(tx, task)).collect::<Result<_, _>>()?,
            failed: task_failures(tx, &run)?,
            eta: estimate_remaining(tx, &run, critical.length)?,
            critical_path: critical.keys,
            clashes: Vec::new(),
            now,
            run,
        };
        Ok((status, candidates))
    })
}

/// The states of tasks under way.
const UNDER_WAY: [TaskState; 4] =
    [TaskState::Dispatched, TaskState::Running, TaskState::Blocked, TaskState::Reported];

/// Tasks in some states, oldest first, as many as a status shows.
fn tasks_in_states(tx: &mut Transaction<'_>, run: &Run, states: &[TaskState]) -> Result<Vec<Task>, Error> {
    let mut tasks = Vec::new();
    for state in states.iter().filter(|state| run.counts.in_state(**state) > 0) {
        tasks.extend(task_table::list_in_state(tx, run.id, *state, TaskId(0), limit::STATUS_SHOWN)?);
    }
    tasks.sort_by_key(|task| task.id);
    tasks.truncate(usize::try_from(limit::STATUS_SHOWN).unwrap_or(usize::MAX));
    Ok(tasks)
}

fn tasks_under_way(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<TaskUnderWay>, Error> {
    let mut active = Vec::new();
    for task in tasks_in_states(tx, run, &UNDER_WAY)? {
        let Some(last) = task.attempt else { continue };
        let Some(attempt) = attempt::load(tx, last.id)? else { continue };
        let (mut lease, mut progress) = (None, None);
        if let Some(id) = attempt.thread {
            lease = thread::load(tx, id)?.as_ref().and_then(thread_decide::running_lease);
            progress = message::last_of_kind(tx, id, MessageKind::Progress)?;
        }
        active.push(TaskUnderWay {
            since: attempt.created_at,
            percent: progress.as_ref().and_then(|message| message.content.extra.percent),
            progress: progress.map(|message| message.content.body),
            lease_expires_at: lease.map(|lease| lease.expires_at),
            shown: lookup::task_overview(tx, task)?,
        });
    }
    Ok(active)
}

fn task_failures(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<TaskFailure>, Error> {
    let mut failed = Vec::new();
    for task in tasks_in_states(tx, run, &[TaskState::Failed])? {
        let mut reason = None;
        if let Some(attempt) = task.attempt.map(|last| attempt::load(tx, last.id)).transpose()?.flatten() {
            reason = work_message::end_reason_of(tx, &attempt)?;
        }
        failed.push(TaskFailure { reason, shown: lookup::task_overview(tx, task)? });
    }
    Ok(failed)
}

/// The longest chain of unfinished tasks.
#[derive(Default)]
struct CriticalPath {
    /// The keys of its first tasks.
    keys: Vec<Slug>,
    /// How many tasks it has.
    length: u32,
}

/// Follows the ranks from the unfinished task that the most work waits for.
///
/// Such a task is ready or under way: whatever a waiting task waits for has a higher rank.
fn critical_path(tx: &mut Transaction<'_>, run: &Run) -> Result<CriticalPath, Error> {
    let mut first: Option<Task> = None;
    let mut consider = |task: Task| {
        if first.as_ref().is_none_or(|best| (task.rank, best.id) > (best.rank, task.id)) {
            first = Some(task);
        }
    };
    for priority in 0..=limit::PRIORITY_MAX {
        task_table::longest_ready(tx, run.id, priority)?.into_iter().for_each(&mut consider);
    }
    task_table::longest_live(tx, run.id)?.into_iter().for_each(&mut consider);
    let Some(first) = first else { return Ok(CriticalPath::default()) };
    let mut path = CriticalPath { length: first.rank + 1, keys: vec![first.name.key.clone()] };
    let (mut at, mut rank) = (first.id, first.rank);
    while rank > 0 && path.keys.len() < limit::CRITICAL_PATH_SHOWN {
        let next = dependency::ranked_dependents(tx, at)?.into_iter().find(|(_, behind)| behind + 1 == rank);
        let Some((id, behind)) = next else { break };
        let task = task_table::load(tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
        path.keys.push(task.name.key);
        (at, rank) = (id, behind);
    }
    Ok(path)
}

/// The median time of the last done tasks, as often as the longest chain has tasks: one that took unusually long does
/// not make the rest look long.
///
/// More work than agents takes longer than its longest chain; this is the least it will take.
fn estimate_remaining(tx: &mut Transaction<'_>, run: &Run, chain: u32) -> Result<Option<TimeSpan>, Error> {
    if chain == 0 || run.counts.in_state(TaskState::Done) == 0 {
        return Ok(None);
    }
    let mut measured = attempt::recent_durations(tx, run.id)?;
    Ok(median_span(&mut measured).map(|each| TimeSpan(each.0.saturating_mul(i64::from(chain)))))
}

/// The middle one; of two the mean.
fn median_span(spans: &mut [TimeSpan]) -> Option<TimeSpan> {
    spans.sort_unstable();
    let upper = spans.get(spans.len() / 2)?;
    if spans.len() % 2 == 1 {
        return Some(*upper);
    }
    let lower = spans.get(spans.len() / 2 - 1)?;
    Some(TimeSpan(lower.0 + (upper.0 - lower.0) / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_took_long_does_not_count_for_more() {
        for (measured, middle) in [
            (vec![], None),
            (vec![7], Some(7)),
            (vec![9, 1], Some(5)),
            (vec![5, 1_000_000, 3], Some(5)),
            (vec![1, 2, 4, 1_000_000], Some(3)),
        ] {
            let mut spans: Vec<TimeSpan> = measured.iter().copied().map(TimeSpan).collect();
            assert_eq!(median_span(&mut spans), middle.map(TimeSpan), "{measured:?}");
        }
    }
}
