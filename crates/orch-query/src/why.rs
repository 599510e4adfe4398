//! `orch why`: why a task is in its state, and what would change it.

use std::collections::BTreeSet;

use orch_core::refusal::NotReadyReason;
use orch_core::run::{PauseReason, Run};
use orch_core::task::{ChecksStatus, Task, TaskState, decide};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::attempt;

use crate::failed_operations::list_failed_operations_of_task;
use crate::{blocked, cooldowns};
use orch_inbox::{Error, Session};
use orch_scheduler::budget::load_budget_facts;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::review::is_review_asked;
use orch_scheduler::run_branch::notice_branch_moves;
use orch_scheduler::{TaskOverview, TaskSelector, lookup, not_ready};

/// A task and the reasons why it does not proceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskExplanation {
    /// The task.
    pub shown: TaskOverview,
    /// The reasons; empty for a task that can be dispatched now.
    pub reasons: Vec<NotReadyReason>,
}

/// Explains the state of a task.
///
/// # Errors
/// The task does not exist.
pub fn explain_task(session: &mut Session, task: &TaskSelector) -> Result<TaskExplanation, Error> {
    let (explained, run) = load_explanation(session, task)?;
    match notice_branch_moves(session, [&run]) {
        true => Ok(load_explanation(session, task)?.0),
        false => Ok(explained),
    }
}

fn load_explanation(session: &mut Session, task: &TaskSelector) -> Result<(TaskExplanation, Run), Error> {
    read_fresh(session, |tx, now| {
        let task = lookup::find_task(tx, task)?;
        let run = lookup::load_run(tx, task.run)?;
        let reasons = collect_reasons(tx, &run, &task, now)?;
        Ok((TaskExplanation { shown: lookup::task_overview(tx, task)?, reasons }, run))
    })
}

/// Collects every reason, the decisive one first.
fn collect_reasons(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: &Task,
    now: Time,
) -> Result<Vec<NotReadyReason>, Error> {
    let reasons = decide::not_ready_reasons(run, task, now);
    let mut reasons = not_ready::explain_reasons(tx, task, reasons)?;
    match task.state {
        TaskState::Blocked => {
            if let Some(asked) = blocked::load_open_question(tx, task, now)? {
                reasons.insert(0, NotReadyReason::Question { text: asked.question.content.body });
            }
        }
        TaskState::Dispatched => reasons.extend(blocked::unclaimed_reason(tx, task)?),
        TaskState::Ready => {
            if let Some(max) = run.policy.max_active.filter(|_| decide::require_capacity(run).is_err()) {
                reasons.push(NotReadyReason::Capacity { max });
            }
            let facts = load_budget_facts(tx, run, &BTreeSet::new(), now)?;
            let short = facts.find_shortage(run, task, task.agent.as_ref(), now);
            reasons.extend(short.map(NotReadyReason::Budget));
            // A missing agent matters only if nothing else prevents the dispatch.
            if task.agent.is_none() && reasons.is_empty() {
                reasons.push(NotReadyReason::NoAgent);
            }
        }
        TaskState::Reported => {
            if let Some(reason) = judging_reason(tx, run, task)? {
                // What the attempt waits for says more than that it is live, and a pause more than both.
                reasons.retain(|reason| !matches!(reason, NotReadyReason::Live { .. }));
                reasons.push(reason);
            }
        }
        TaskState::Done if run.ground.is_some() => {
            let is_paused = run.state.pause_reason() == Some(PauseReason::BranchMoved);
            if let Some(reason) = blocked::off_branch_reason(tx, task, is_paused)? {
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
    let unavailable = cooldowns::profile_reasons(tx, run, task, now)?;
    if !unavailable.is_empty() {
        reasons.retain(|reason| !matches!(reason, NotReadyReason::NoAgent));
        reasons.splice(0..0, unavailable);
    }
    let failed = list_failed_operations_of_task(tx, run, task)?;
    if !failed.is_empty() {
        // What failed says more than what it was done for.
        reasons
            .retain(|reason| !matches!(reason, NotReadyReason::Checks { .. } | NotReadyReason::Merge { .. }));
        let failed = failed.into_iter().map(|failed| NotReadyReason::OperationFailed(Box::new(failed)));
        reasons.splice(0..0, failed);
    }
    Ok(reasons)
}

/// Returns what a reported attempt waits for: its checks, or its merge.
fn judging_reason(tx: &mut Transaction<'_>, run: &Run, task: &Task) -> Result<Option<NotReadyReason>, Error> {
    let Some((last, name)) = task.attempt.zip(decide::attempt_name(task)) else { return Ok(None) };
    let Some(reported) = attempt::load(tx, last.id)? else { return Ok(None) };
    let is_judged = match reported.checks {
        ChecksStatus::Passed | ChecksStatus::Overridden => true,
        ChecksStatus::None => run.rules.protect.is_empty(),
        ChecksStatus::Pending | ChecksStatus::Failed => false,
    };
    Ok(Some(if is_judged && is_review_asked(tx, &reported)? {
        NotReadyReason::Review { attempt: name }
    } else if is_judged {
        NotReadyReason::Merge { attempt: name }
    } else {
        NotReadyReason::Checks { attempt: name }
    }))
}
