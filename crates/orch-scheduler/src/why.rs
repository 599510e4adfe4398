//! `orch why`: why a task is where it is, and what would move it.

use orch_core::limit;
use orch_core::refusal::Reason;
use orch_core::run::Run;
use orch_core::task::{Checks, Task, TaskState, decide};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::attempt;

use super::stage::read_fresh;
use super::{TaskRef, TaskShown, blocked, dispatch, scope};
use orch_inbox::{Error, Session};

/// A task and why it does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The task.
    pub shown: TaskShown,
    /// Why; empty for a task that can be dispatched now.
    pub reasons: Vec<Reason>,
}

/// Explains a task.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn why(session: &mut Session, task: &TaskRef) -> Result<Why, Error> {
    read_fresh(session, |tx, now| {
        let task = scope::one_task(tx, task)?;
        let run = scope::run_of(tx, task.run)?;
        let reasons = reasons(tx, &run, &task, now)?;
        Ok(Why { shown: scope::shown(tx, task)?, reasons })
    })
}

/// Every reason, the decisive one first.
fn reasons(tx: &mut Transaction<'_>, run: &Run, task: &Task, now: Time) -> Result<Vec<Reason>, Error> {
    let mut reasons = dispatch::named(tx, task, decide::not_ready(run, task, now), limit::CAUSE_STEPS_MAX)?;
    match task.state {
        TaskState::Blocked => {
            if let Some(asked) = blocked::question_of(tx, task, now)? {
                reasons.insert(0, Reason::Question { text: asked.question.content.body });
            }
        }
        TaskState::Dispatched => reasons.extend(blocked::unclaimed(tx, task)?),
        TaskState::Ready => {
            if let Some(max) = run.policy.max_active.filter(|_| decide::capacity(run).is_err()) {
                reasons.push(Reason::Capacity { max });
            }
            // Naming somebody helps only where nothing else is in the way.
            if task.agent.is_none() && reasons.is_empty() {
                reasons.push(Reason::NoAgent);
            }
        }
        TaskState::Reported => {
            if let Some(reason) = judging(tx, run, task)? {
                // That an attempt is under way says less than what it waits for.
                reasons.retain(|reason| !matches!(reason, Reason::Live { .. }));
                reasons.insert(0, reason);
            }
        }
        TaskState::Waiting
        | TaskState::Running
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Skipped
        | TaskState::Cancelled => {}
    }
    Ok(reasons)
}

/// What a reported attempt waits for: its checks, or to be merged.
fn judging(tx: &mut Transaction<'_>, run: &Run, task: &Task) -> Result<Option<Reason>, Error> {
    let Some((last, name)) = task.attempt.zip(decide::attempt_name(task)) else { return Ok(None) };
    let Some(reported) = attempt::load(tx, last.id)? else { return Ok(None) };
    let is_judged = match reported.checks {
        Checks::Passed | Checks::Overridden => true,
        Checks::None => run.rules.protect.is_empty(),
        Checks::Pending | Checks::Failed => false,
    };
    Ok(Some(if is_judged { Reason::Merge { attempt: name } } else { Reason::Checks { attempt: name } }))
}
