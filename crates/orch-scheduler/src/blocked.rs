//! `orch blocked`: open questions, and what will not move by itself.

use orch_core::id::{AttemptName, MessageId, Slug, TaskId, TaskName};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::refusal::Reason;
use orch_core::run::Run;
use orch_core::task::{Task, TaskState, decide};
use orch_core::thread::ThreadState;
use orch_core::time::{Span, Time};
use orch_store::Transaction;
use orch_store::page::PageRequest;
use orch_store::table::{agent, attempt, message, task as task_table, thread};

use super::stage::read_fresh;
use super::{dispatch, scope};
use orch_inbox::missing_message;
use orch_inbox::page::{next_offset, offset};
use orch_inbox::{Error, Session};

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

/// What holds things up: a list of open questions, oldest first, and behind them of tasks that will not move by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// The questions of this part.
    pub questions: Vec<QuestionShown>,
    /// How many questions are open.
    pub questions_total: u64,
    /// The tasks of this part: run by run failed ones, what they hold up, and work sent to a name that was never seen.
    pub stuck: Vec<Stuck>,
    /// How many such tasks there are.
    pub stuck_total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// Lists open questions and stuck tasks.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn blocked(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<Blocked, Error> {
    let passed = offset(page)?;
    read_fresh(session, |tx, now| {
        let mut part = Part { passed, left: page.limit.into() };
        let mut blocked = Blocked::default();
        let runs = scope::runs(tx, run)?;
        let mut asking = Vec::new();
        for run in &runs {
            blocked.questions_total += count(run.counts.of(TaskState::Blocked));
            asking.extend(asking_in(tx, run, part.reach())?);
        }
        asking.sort_by_key(|thread| thread.question);
        for asks in part.cut(asking, blocked.questions_total) {
            blocked.questions.extend(question_of(tx, &asks.task, now)?);
        }
        for run in &runs {
            blocked.stuck_total += stuck(tx, run, now, &mut part, &mut blocked.stuck)?;
        }
        let shown = blocked.questions.len() + blocked.stuck.len();
        blocked.next = next_offset(passed, shown, blocked.questions_total + blocked.stuck_total);
        Ok(blocked)
    })
}

/// What is still to be read of a part of a list that is made of several.
struct Part {
    passed: u64,
    left: u64,
}

impl Part {
    /// How many entries of the next list have to be read.
    fn reach(&self) -> u32 {
        if self.left == 0 { 0 } else { u32::try_from(self.passed + self.left).unwrap_or(u32::MAX) }
    }

    /// Cuts out what is wanted of the first entries of a list, and goes on behind it.
    fn cut<T>(&mut self, first: Vec<T>, total: u64) -> Vec<T> {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let cut: Vec<T> = first.into_iter().skip(place(self.passed)).take(place(self.left)).collect();
        self.passed = self.passed.saturating_sub(total);
        self.left -= cut.len() as u64;
        cut
    }
}

/// A blocked task, and the question it waits for.
struct Asking {
    question: MessageId,
    task: Task,
}

/// A run's blocked tasks, the oldest question first.
fn asking_in(tx: &mut Transaction<'_>, run: &Run, limit: u32) -> Result<Vec<Asking>, Error> {
    let mut asking = Vec::new();
    if run.counts.of(TaskState::Blocked) == 0 {
        return Ok(asking);
    }
    for thread in thread::asking(tx, run.id, limit)? {
        let (ThreadState::Blocked { question, .. }, Some(reference)) = (thread.state, thread.head.reference)
        else {
            continue;
        };
        asking.push(Asking { question: question.message, task: scope::task_of(tx, reference.task)? });
    }
    Ok(asking)
}

/// A run's open questions, oldest first.
pub(crate) fn questions(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
    limit: u32,
) -> Result<Vec<QuestionShown>, Error> {
    let mut questions = Vec::new();
    for asks in asking_in(tx, run, limit)? {
        questions.extend(question_of(tx, &asks.task, now)?);
    }
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

/// Adds those of a run's tasks that will not move by themselves and belong to the part; says how many there are.
fn stuck(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
    part: &mut Part,
    found: &mut Vec<Stuck>,
) -> Result<u64, Error> {
    let mut all = 0;
    for state in [TaskState::Failed, TaskState::Skipped] {
        let total = count(run.counts.of(state));
        all += total;
        let first = match part.reach() {
            0 => Vec::new(),
            _ if total <= part.passed => Vec::new(),
            reach => task_table::in_state(tx, run.id, state, TaskId(0), reach)?,
        };
        for task in part.cut(first, total) {
            found.push(Stuck { reasons: ended_badly(tx, run, &task, now)?, task: task.name });
        }
    }
    if run.counts.of(TaskState::Dispatched) > 0 {
        let total = count(thread::count_queued_for_unseen(tx, run.id)?);
        all += total;
        let first = thread::queued_for_unseen(tx, run.id, part.reach())?;
        for id in part.cut(first, total) {
            let task = scope::task_of(tx, id)?;
            found.push(Stuck { reasons: unclaimed(tx, &task)?.into_iter().collect(), task: task.name });
        }
    }
    Ok(all)
}

/// Why a failed or skipped task will not move by itself.
fn ended_badly(tx: &mut Transaction<'_>, run: &Run, task: &Task, now: Time) -> Result<Vec<Reason>, Error> {
    let reasons = decide::not_ready(run, task, now);
    if task.state != TaskState::Skipped {
        return Ok(reasons);
    }
    let reasons = reasons.into_iter().filter(|reason| matches!(reason, Reason::DependencyFailed { .. }));
    dispatch::named(tx, task, reasons.collect(), limit::CAUSE_STEPS_LISTED)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A dispatched task whose agent was never seen: its name may be mistyped.
pub(crate) fn unclaimed(tx: &mut Transaction<'_>, task: &Task) -> Result<Option<Reason>, Error> {
    let Some(last) = task.attempt else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    // Nothing was sent yet to anybody.
    if attempt.thread.is_none() {
        return Ok(None);
    }
    let seen = agent::load(tx, &attempt.agent)?.is_some_and(|agent| agent.last_seen_at.is_some());
    Ok((!seen).then_some(Reason::Unclaimed { agent: attempt.agent }))
}
