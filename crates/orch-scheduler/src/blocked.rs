//! `orch blocked`: open questions, and what will not move by itself.

use orch_core::id::{AttemptName, MessageId, Slug, TaskId, TaskName};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::refusal::NotReadyReason;
use orch_core::run::Run;
use orch_core::task::{Task, TaskState, decide};
use orch_core::thread::ThreadState;
use orch_core::time::{Time, TimeSpan};
use orch_store::Transaction;
use orch_store::page::PageRequest;
use orch_store::table::{agent, attempt, message, task as task_table, thread};

use super::unit_of_work::read_fresh;
use super::{lookup, not_ready};
use orch_inbox::missing_message;
use orch_inbox::page::{offset_cursor, parse_offset};
use orch_inbox::{Error, Session};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionSummary {
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
    pub age: TimeSpan,
}

/// A task that will not move by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckTask {
    /// Which task.
    pub task: TaskName,
    /// Why.
    pub reasons: Vec<NotReadyReason>,
}

/// What holds things up: a list of open questions, oldest first, and behind them of tasks that will not move by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockerPage {
    /// The questions of this part.
    pub questions: Vec<QuestionSummary>,
    /// How many questions are open.
    pub questions_total: u64,
    /// The tasks of this part: run by run failed ones, what they hold up, and work sent to a name that was never seen.
    pub stuck: Vec<StuckTask>,
    /// How many such tasks there are.
    pub stuck_total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// Lists open questions and stuck tasks.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn list_blockers(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<BlockerPage, Error> {
    let passed = parse_offset(page)?;
    read_fresh(session, |tx, now| {
        let mut part = PageWindow { passed, left: page.limit.into() };
        let mut blocked = BlockerPage::default();
        let runs = lookup::find_runs(tx, run)?;
        let mut asking = Vec::new();
        for run in &runs {
            blocked.questions_total += nonnegative_count(run.counts.in_state(TaskState::Blocked));
            asking.extend(blocked_tasks(tx, run, part.entries_needed())?);
        }
        asking.sort_by_key(|thread| thread.question);
        for asks in part.take_from_list(asking, blocked.questions_total) {
            blocked.questions.extend(load_open_question(tx, &asks.task, now)?);
        }
        for run in &runs {
            blocked.stuck_total += collect_stuck_tasks(tx, run, now, &mut part, &mut blocked.stuck)?;
        }
        let shown = blocked.questions.len() + blocked.stuck.len();
        blocked.next = offset_cursor(passed, shown, blocked.questions_total + blocked.stuck_total);
        Ok(blocked)
    })
}

/// What is still to be read of a part of a list that is made of several.
struct PageWindow {
    passed: u64,
    left: u64,
}

impl PageWindow {
    /// How many entries of the next list have to be read.
    fn entries_needed(&self) -> u32 {
        if self.left == 0 { 0 } else { u32::try_from(self.passed + self.left).unwrap_or(u32::MAX) }
    }

    /// Cuts out what is wanted of the first entries of a list, and goes on behind it.
    fn take_from_list<T>(&mut self, first: Vec<T>, total: u64) -> Vec<T> {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let cut: Vec<T> = first.into_iter().skip(place(self.passed)).take(place(self.left)).collect();
        self.passed = self.passed.saturating_sub(total);
        self.left -= cut.len() as u64;
        cut
    }
}

/// A blocked task, and the question it waits for.
struct BlockedTask {
    question: MessageId,
    task: Task,
}

/// A run's blocked tasks, the oldest question first.
fn blocked_tasks(tx: &mut Transaction<'_>, run: &Run, limit: u32) -> Result<Vec<BlockedTask>, Error> {
    let mut asking = Vec::new();
    if run.counts.in_state(TaskState::Blocked) == 0 {
        return Ok(asking);
    }
    for thread in thread::list_with_question(tx, run.id, limit)? {
        let (ThreadState::Blocked { question, .. }, Some(reference)) = (thread.state, thread.head.reference)
        else {
            continue;
        };
        asking.push(BlockedTask { question: question.message, task: lookup::load_task(tx, reference.task)? });
    }
    Ok(asking)
}

/// A run's open questions, oldest first.
pub(crate) fn open_questions(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
    limit: u32,
) -> Result<Vec<QuestionSummary>, Error> {
    let mut questions = Vec::new();
    for asks in blocked_tasks(tx, run, limit)? {
        questions.extend(load_open_question(tx, &asks.task, now)?);
    }
    Ok(questions)
}

/// The question that a blocked task waits for.
pub(crate) fn load_open_question(
    tx: &mut Transaction<'_>,
    task: &Task,
    now: Time,
) -> Result<Option<QuestionSummary>, Error> {
    let Some((last, name)) = task.attempt.zip(decide::attempt_name(task)) else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    let Some(id) = attempt.thread else { return Ok(None) };
    let Some(owned) = thread::load(tx, id)? else { return Ok(None) };
    let ThreadState::Blocked { question, hold, .. } = &owned.state else { return Ok(None) };
    let asked = message::load(tx, question.message)?.ok_or_else(|| missing_message(question.message))?;
    Ok(Some(QuestionSummary {
        task: task.name.clone(),
        attempt: name,
        agent: hold.holder.clone(),
        default_at: question.default_at,
        age: now - asked.created_at,
        question: asked,
    }))
}

/// Adds those of a run's tasks that will not move by themselves and belong to the part; says how many there are.
fn collect_stuck_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
    part: &mut PageWindow,
    found: &mut Vec<StuckTask>,
) -> Result<u64, Error> {
    let mut all = 0;
    for state in [TaskState::Failed, TaskState::Skipped] {
        let total = nonnegative_count(run.counts.in_state(state));
        all += total;
        let first = match part.entries_needed() {
            0 => Vec::new(),
            _ if total <= part.passed => Vec::new(),
            reach => task_table::list_in_state(tx, run.id, state, TaskId(0), reach)?,
        };
        for task in part.take_from_list(first, total) {
            found.push(StuckTask { reasons: reasons_of_ended_task(tx, run, &task, now)?, task: task.name });
        }
    }
    if run.counts.in_state(TaskState::Dispatched) > 0 {
        let total = nonnegative_count(thread::count_queued_for_unseen(tx, run.id)?);
        all += total;
        let first = thread::list_queued_for_unseen(tx, run.id, part.entries_needed())?;
        for id in part.take_from_list(first, total) {
            let task = lookup::load_task(tx, id)?;
            found.push(StuckTask {
                reasons: unclaimed_reason(tx, &task)?.into_iter().collect(),
                task: task.name,
            });
        }
    }
    Ok(all)
}

/// Why a failed or skipped task will not move by itself.
fn reasons_of_ended_task(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: &Task,
    now: Time,
) -> Result<Vec<NotReadyReason>, Error> {
    let reasons = decide::not_ready_reasons(run, task, now);
    if task.state != TaskState::Skipped {
        return Ok(reasons);
    }
    let reasons =
        reasons.into_iter().filter(|reason| matches!(reason, NotReadyReason::DependencyFailed { .. }));
    not_ready::explain_reasons(tx, task, reasons.collect(), limit::CAUSE_STEPS_LISTED)
}

fn nonnegative_count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A dispatched task whose agent was never seen: its name may be mistyped.
pub(crate) fn unclaimed_reason(
    tx: &mut Transaction<'_>,
    task: &Task,
) -> Result<Option<NotReadyReason>, Error> {
    let Some(last) = task.attempt else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    // Nothing was sent yet to anybody.
    if attempt.thread.is_none() {
        return Ok(None);
    }
    let seen = agent::load(tx, &attempt.agent)?.is_some_and(|agent| agent.last_seen_at.is_some());
    Ok((!seen).then_some(NotReadyReason::Unclaimed { agent: attempt.agent }))
}
