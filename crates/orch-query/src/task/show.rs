//! `orch task show`: shows all details of a task.

use orch_core::attempt::Attempt;
use orch_core::check::CheckRun;
use orch_core::event::Event;
use orch_core::id::{AttemptId, MessageId, TaskId, ThreadId};
use orch_core::message::Message;
use orch_core::run::ResourceUsage;
use orch_core::task::{Task, TaskText};
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::usage::{self, UsageSum};
use orch_store::table::{attempt, check_run, dependency, event, message, task as task_table, worktree};

use orch_inbox::{Error, Session};
use orch_scheduler::dep::DependencyStatus;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{TaskOverview, TaskSelector, lookup};

/// An attempt with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptDetail {
    /// The attempt.
    pub attempt: Attempt,
    /// The message that closed its thread.
    pub outcome: Option<Message>,
    /// Its worktree.
    pub worktree: Option<Worktree>,
    /// The end of the output of the check that rejected it.
    pub log_tail: Option<String>,
    /// The checks that judged it, in order.
    pub checks: Vec<CheckRun>,
    /// The event that accepted or rejected it.
    pub judgement: Option<Event>,
    /// What it used.
    pub usage: UsageSum,
}

/// All details of a task.
#[derive(Clone, Debug)]
pub struct TaskDetail {
    /// The task.
    pub shown: TaskOverview,
    /// Its long texts.
    pub text: TaskText,
    /// The run's limit of failures, for a task without a limit of its own.
    pub max_attempts: u32,
    /// Its dependencies, oldest first; at most 100.
    pub dependencies: Vec<DependencyStatus>,
    /// Its dependents, oldest first; at most 100.
    pub dependents: Vec<DependencyStatus>,
    /// Its attempts, newest first; at most 20.
    pub attempts: Vec<AttemptDetail>,
    /// What all its attempts used.
    pub spent: ResourceUsage,
}

/// How many dependencies, and how many dependents, the details show.
const EDGES_SHOWN: u32 = 100;

/// How many attempts the details show.
const ATTEMPTS_SHOWN: u32 = 20;

/// Shows all details of a task.
///
/// # Errors
/// The task does not exist.
pub fn show_task(session: &mut Session, task: &TaskSelector) -> Result<TaskDetail, Error> {
    read_fresh(session, |tx, now| {
        let task = lookup::find_task(tx, task)?;
        let max_attempts = lookup::load_run(tx, task.run)?.policy.max_attempts;
        let (dependencies, _) = dependency::edges_of_task(tx, task.id, TaskId(0), EDGES_SHOWN)?;
        let dependents = dependency::edges_on_task(tx, task.id, TaskId(0), EDGES_SHOWN)?;
        let attempts = load_attempt_details(tx, &task)?;
        Ok(TaskDetail {
            text: task_table::load_text(tx, task.id)?,
            max_attempts,
            dependencies: dependencies.into_iter().map(DependencyStatus::by_dependency).collect(),
            dependents: dependents.into_iter().map(DependencyStatus::by_dependent).collect(),
            attempts,
            spent: match task.attempt {
                Some(_) => task_table::load_usage(tx, task.id, now)?.0,
                None => ResourceUsage::default(),
            },
            shown: lookup::task_overview(tx, task)?,
        })
    })
}

fn load_attempt_details(tx: &mut Transaction<'_>, task: &Task) -> Result<Vec<AttemptDetail>, Error> {
    if task.attempt.is_none() {
        return Ok(Vec::new());
    }
    let attempts = attempt::list_by_task(tx, task.id, ATTEMPTS_SHOWN)?;
    let ids: Vec<AttemptId> = attempts.iter().map(|attempt| attempt.id).collect();
    let outcomes: Vec<MessageId> = attempts.iter().filter_map(|attempt| attempt.outcome).collect();
    let messages = message::load_many(tx, &outcomes)?;
    let worktrees = worktree::load_many(tx, &ids)?;
    let mut texts = attempt::load_texts(tx, &ids)?;
    let checks = check_run::list_by_attempts(tx, &ids)?;
    let judgements = event::list_judgements(tx, task.id)?;
    let threads: Vec<ThreadId> = attempts.iter().filter_map(|attempt| attempt.thread).collect();
    let used = usage::list_by_threads(tx, &threads)?;
    let usage_of = |thread: Option<ThreadId>| {
        used.iter().find(|(id, _)| Some(*id) == thread).map(|(_, sum)| *sum).unwrap_or_default()
    };
    let detail = |attempt: Attempt| AttemptDetail {
        checks: checks.iter().filter(|check| check.attempt == Some(attempt.id)).cloned().collect(),
        judgement: judgements.iter().find(|event| event.attempt.as_ref() == Some(&attempt.name)).cloned(),
        outcome: messages.iter().find(|message| Some(message.id) == attempt.outcome).cloned(),
        worktree: worktrees.iter().find(|tree| tree.attempt == attempt.id).cloned(),
        usage: usage_of(attempt.thread),
        log_tail: texts.remove(&attempt.id).and_then(|text| text.log_tail),
        attempt,
    };
    Ok(attempts.into_iter().map(detail).collect())
}
