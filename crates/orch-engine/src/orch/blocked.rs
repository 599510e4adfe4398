//! `orch blocked`: open questions, and what will not move by itself.

use orch_core::id::{AttemptName, Slug, TaskId, TaskName};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::refusal::Reason;
use orch_core::run::Run;
use orch_core::task::{Task, TaskState, decide};
use orch_core::thread::ThreadState;
use orch_core::time::{Span, Time};
use orch_store::Transaction;
use orch_store::table::{agent, attempt, message, task as task_table, thread};

use super::stage::read_fresh;
use super::{dispatch, scope};
use crate::inbox::missing_message;
use crate::{Error, Session};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionShown {
    /// The blocked task.
    pub task: TaskName,
    /// Its attempt.
    pub attempt: AttemptName,
    /// Who asks.
    pub agent: Slug,
    /// The question.
    pub question: Message,
    /// When its default becomes the answer.
    pub default_at: Option<Time>,
    /// How long it has been open.
    pub age: Span,
}

/// A task that will not move by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Which task.
    pub task: TaskName,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// What holds things up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// Open questions, oldest first; at most `limit`.
    pub questions: Vec<QuestionShown>,
    /// How many questions are open.
    pub questions_total: u64,
    /// Tasks that will not move by themselves: failed ones, what they hold up, and work sent to a name that was never
    /// seen; at most `limit`.
    pub stuck: Vec<Stuck>,
}

/// Lists open questions and stuck tasks.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn blocked(session: &mut Session, run: Option<&Slug>, limit: u32) -> Result<Blocked, Error> {
    read_fresh(session, |tx, now| {
        let mut blocked = Blocked::default();
        for run in scope::runs(tx, run)? {
            blocked.questions_total += u64::try_from(run.counts.of(TaskState::Blocked)).unwrap_or(0);
            blocked.questions.extend(questions(tx, &run, now, limit)?);
            let left = limit.saturating_sub(u32::try_from(blocked.stuck.len()).unwrap_or(u32::MAX));
            blocked.stuck.extend(stuck(tx, &run, now, left)?);
        }
        blocked.questions.sort_by_key(|question| question.question.id);
        blocked.questions.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(blocked)
    })
}

/// A run's open questions, oldest first.
pub(crate) fn questions(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
    limit: u32,
) -> Result<Vec<QuestionShown>, Error> {
    let mut questions = Vec::new();
    if run.counts.of(TaskState::Blocked) == 0 {
        return Ok(questions);
    }
    for task in task_table::in_state(tx, run.id, TaskState::Blocked, TaskId(0), limit)? {
        questions.extend(question_of(tx, &task, now)?);
    }
    questions.sort_by_key(|question| question.question.id);
    Ok(questions)
}

/// The question that a blocked task waits for.
pub(crate) fn question_of(
    tx: &mut Transaction<'_>,
    task: &Task,
    now: Time,
) -> Result<Option<QuestionShown>, Error> {
    let Some((last, name)) = task.attempt.zip(decide::attempt_name(task)) else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    let Some(id) = attempt.thread else { return Ok(None) };
    let Some(owned) = thread::load(tx, id)? else { return Ok(None) };
    let ThreadState::Blocked { question, hold, .. } = &owned.state else { return Ok(None) };
    let asked = message::load(tx, question.message)?.ok_or_else(|| missing_message(question.message))?;
    Ok(Some(QuestionShown {
        task: task.name.clone(),
        attempt: name,
        agent: hold.holder.clone(),
        default_at: question.default_at,
        age: now - asked.created_at,
        question: asked,
    }))
}

/// Tasks of a run that will not move by themselves.
fn stuck(tx: &mut Transaction<'_>, run: &Run, now: Time, limit: u32) -> Result<Vec<Stuck>, Error> {
    let mut found = Vec::new();
    for state in [TaskState::Failed, TaskState::Skipped, TaskState::Dispatched] {
        if run.counts.of(state) == 0 {
            continue;
        }
        for task in task_table::in_state(tx, run.id, state, TaskId(0), limit)? {
            let reasons = stuck_reasons(tx, run, &task, now)?;
            if !reasons.is_empty() {
                found.push(Stuck { task: task.name, reasons });
            }
        }
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Why a failed, skipped or unclaimed task will not move by itself; empty when it may.
fn stuck_reasons(tx: &mut Transaction<'_>, run: &Run, task: &Task, now: Time) -> Result<Vec<Reason>, Error> {
    match task.state {
        TaskState::Failed => Ok(decide::not_ready(run, task, now)),
        TaskState::Skipped => {
            let reasons = decide::not_ready(run, task, now);
            let reasons =
                reasons.into_iter().filter(|reason| matches!(reason, Reason::DependencyFailed { .. }));
            dispatch::named(tx, task, reasons.collect(), limit::CAUSE_STEPS_LISTED)
        }
        TaskState::Dispatched => Ok(unclaimed(tx, task)?.into_iter().collect()),
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Running
        | TaskState::Blocked
        | TaskState::Reported
        | TaskState::Done
        | TaskState::Cancelled => Ok(Vec::new()),
    }
}

/// A dispatched task whose agent was never seen: its name may be mistyped.
pub(crate) fn unclaimed(tx: &mut Transaction<'_>, task: &Task) -> Result<Option<Reason>, Error> {
    let Some(last) = task.attempt else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    let seen = agent::load(tx, &attempt.agent)?.is_some_and(|agent| agent.last_seen_at.is_some());
    Ok((!seen).then_some(Reason::Unclaimed { agent: attempt.agent }))
}
