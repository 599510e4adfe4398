//! `orch blocked`: open questions, and tasks that will not proceed by themselves.

use std::collections::{BTreeSet, HashMap};

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptId, AttemptName, MessageId, Slug, TaskId, TaskName};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::operation_failure::FailedOperation;
use orch_core::refusal::NotReadyReason;
use orch_core::run::reserve::BudgetFacts;
use orch_core::run::{PauseReason, Run, RunStatus};
use orch_core::task::{Task, TaskState, decide};
use orch_core::thread::{Thread, ThreadState};
use orch_core::time::{Time, TimeSpan};
use orch_store::Transaction;
use orch_store::page::PageRequest;
use orch_store::table::{agent, attempt, message, task as task_table, thread, worktree};

use crate::cooldowns::list_waiting_for_profiles;
use crate::failed_operations::{
    list_all_failed_operations, list_believed_operations, list_failed_operations,
};
use orch_core::event::Event;
use orch_inbox::missing_message;
use orch_inbox::page::{offset_cursor, parse_offset};
use orch_inbox::{Error, Session};
use orch_scheduler::budget::load_budget_facts;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::review::list_open_reviews;
use orch_scheduler::run_branch::notice_branch_moves;
use orch_scheduler::{lookup, not_ready};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionSummary {
    /// The blocked task.
    pub task: TaskName,
    /// Its attempt.
    pub attempt: AttemptName,
    /// The agent that asks.
    pub agent: Slug,
    /// The question.
    pub question: Message,
    /// When its default becomes the answer.
    pub default_at: Option<Time>,
    /// How long it has been open.
    pub age: TimeSpan,
}

/// A task that will not proceed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckTask {
    /// The task.
    pub task: TaskName,
    /// The reasons.
    pub reasons: Vec<NotReadyReason>,
}

/// A page of blockers: open questions, oldest first, then stuck tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockerPage {
    /// The reviews that attempts wait for, oldest first.
    pub reviews: Vec<Event>,
    /// The questions of this page.
    pub questions: Vec<QuestionSummary>,
    /// How many questions are open.
    pub questions_total: u64,
    /// The operations of this page that failed repeatedly, oldest first.
    pub operations: Vec<FailedOperation>,
    /// The stuck tasks of this page, by run: failed and skipped tasks, work for profiles that cool down, and for names that were never seen.
    pub stuck: Vec<StuckTask>,
    /// How many operations and tasks are stuck.
    pub stuck_total: u64,
    /// The paused runs.
    pub paused: Vec<Run>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// Lists open questions and stuck tasks.
///
/// # Errors
/// The run does not exist, or the cursor is invalid.
pub fn list_blockers(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<BlockerPage, Error> {
    let (blocked, runs) = load_blockers(session, run, page)?;
    match notice_branch_moves(session, &runs) {
        true => Ok(load_blockers(session, run, page)?.0),
        false => Ok(blocked),
    }
}

fn load_blockers(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<(BlockerPage, Vec<Run>), Error> {
    let offset = parse_offset(page)?;
    let named = run;
    read_fresh(session, |tx, now| {
        let mut window = PageWindow { offset, remaining: page.limit.into() };
        let mut blocked = BlockerPage::default();
        let runs = lookup::find_runs(tx, named)?;
        let mut open = OpenQuestions::default();
        for run in &runs {
            blocked.questions_total += nonnegative_count(run.counts.in_state(TaskState::Blocked));
            open.extend(OpenQuestions::load(tx, run, window.entries_needed())?);
        }
        open.0.sort_by_key(|(question, ..)| *question);
        open.0 = window.take_from_list(open.0, blocked.questions_total);
        blocked.questions = open.load_messages_and_summarize(tx, now)?;
        let mut operations = match named {
            Some(_) => list_failed_operations(tx, &runs.iter().collect::<Vec<_>>())?,
            None => list_all_failed_operations(tx, &runs)?,
        };
        operations.retain(|operation| operation.stuck);
        operations.extend(list_believed_operations(tx, &runs, now)?);
        let total = operations.len() as u64;
        blocked.stuck_total += total;
        blocked.operations = window.take_from_list(operations, total);
        for run in &runs {
            blocked.stuck_total += collect_stuck_tasks(tx, run, now, &mut window, &mut blocked.stuck)?;
        }
        let shown = blocked.questions.len() + blocked.operations.len() + blocked.stuck.len();
        blocked.next = offset_cursor(offset, shown, blocked.questions_total + blocked.stuck_total);
        for run in runs.iter().filter(|run| run.counts.in_state(TaskState::Reported) > 0) {
            blocked.reviews.extend(list_open_reviews(tx, run.id)?);
        }
        blocked.paused = runs.iter().filter(|run| run.state.pause_reason().is_some()).cloned().collect();
        Ok((blocked, runs))
    })
}

/// Lists the operations of some runs that are not tried again by themselves.
pub fn list_stuck_operations(session: &mut Session, runs: &[Run]) -> Result<Vec<FailedOperation>, Error> {
    session.query(|tx| {
        let mut operations = list_failed_operations(tx, &runs.iter().collect::<Vec<_>>())?;
        operations.retain(|operation| operation.stuck);
        Ok(operations)
    })
}

/// The part of a page that the next of several concatenated lists has to fill.
struct PageWindow {
    offset: u64,
    remaining: u64,
}

impl PageWindow {
    /// Returns how many entries of the next list have to be read.
    fn entries_needed(&self) -> u32 {
        if self.remaining == 0 { 0 } else { u32::try_from(self.offset + self.remaining).unwrap_or(u32::MAX) }
    }

    /// Cuts the entries of the page out of the first entries of a list, and moves the window behind the list.
    fn take_from_list<T>(&mut self, first: Vec<T>, total: u64) -> Vec<T> {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let cut: Vec<T> = first.into_iter().skip(count(self.offset)).take(count(self.remaining)).collect();
        self.offset = self.offset.saturating_sub(total);
        self.remaining -= cut.len() as u64;
        cut
    }
}

/// Blocked tasks, each with its question and the thread in which it was asked.
#[derive(Default)]
pub struct OpenQuestions(Vec<(MessageId, Thread, Task)>);

impl OpenQuestions {
    /// Loads the blocked tasks of a run, the oldest question first.
    pub fn load(tx: &mut Transaction<'_>, run: &Run, limit: u32) -> Result<Self, Error> {
        if run.counts.in_state(TaskState::Blocked) == 0 || limit == 0 {
            return Ok(Self::default());
        }
        let threads = thread::list_with_question(tx, run.id, limit)?;
        let ids: Vec<TaskId> = threads
            .iter()
            .filter_map(|thread| thread.head.reference)
            .map(|reference| reference.task)
            .collect();
        let tasks: HashMap<TaskId, Task> =
            task_table::load_many(tx, &ids)?.into_iter().map(|task| (task.id, task)).collect();
        let open = threads.into_iter().filter_map(|thread| {
            let reference = thread.head.reference?;
            let ThreadState::Blocked { question, .. } = &thread.state else { return None };
            let (question, task) = (question.message, tasks.get(&reference.task)?.clone());
            // An earlier attempt's question is not the task's.
            let is_current = task.attempt.is_some_and(|last| last.id == reference.attempt);
            is_current.then_some((question, thread, task))
        });
        Ok(Self(open.collect()))
    }

    /// Loads the question of one blocked task.
    fn load_for_task(tx: &mut Transaction<'_>, task: &Task) -> Result<Self, Error> {
        let Some(last) = task.attempt else { return Ok(Self::default()) };
        let Some(id) = attempt::load(tx, last.id)?.and_then(|attempt| attempt.thread) else {
            return Ok(Self::default());
        };
        let Some(owned) = thread::load(tx, id)? else { return Ok(Self::default()) };
        let ThreadState::Blocked { question, .. } = &owned.state else { return Ok(Self::default()) };
        Ok(Self(vec![(question.message, owned, task.clone())]))
    }

    fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Returns the ids of the questions' messages.
    pub fn message_ids(&self) -> impl Iterator<Item = MessageId> {
        self.0.iter().map(|(question, ..)| *question)
    }

    fn load_messages_and_summarize(
        self,
        tx: &mut Transaction<'_>,
        now: Time,
    ) -> Result<Vec<QuestionSummary>, Error> {
        let ids: Vec<MessageId> = self.message_ids().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let messages = message::load_many(tx, &ids)?.into_iter().map(|message| (message.id, message));
        self.summarize(&messages.collect(), now)
    }

    /// Summarizes the questions with their messages.
    pub fn summarize(
        self,
        messages: &HashMap<MessageId, Message>,
        now: Time,
    ) -> Result<Vec<QuestionSummary>, Error> {
        let mut questions = Vec::with_capacity(self.0.len());
        for (id, thread, task) in self.0 {
            let ThreadState::Blocked { question, hold, .. } = thread.state else { continue };
            let Some(attempt) = decide::attempt_name(&task) else { continue };
            let asked = messages.get(&id).ok_or_else(|| missing_message(id))?.clone();
            questions.push(QuestionSummary {
                task: task.name,
                attempt,
                agent: hold.holder,
                default_at: question.default_at,
                age: now - asked.created_at,
                question: asked,
            });
        }
        Ok(questions)
    }
}

/// Loads the question that a blocked task waits for.
pub fn load_open_question(
    tx: &mut Transaction<'_>,
    task: &Task,
    now: Time,
) -> Result<Option<QuestionSummary>, Error> {
    Ok(OpenQuestions::load_for_task(tx, task)?.load_messages_and_summarize(tx, now)?.into_iter().next())
}

/// Adds the stuck tasks of a run that belong to the page; returns how many the run has.
fn collect_stuck_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
    window: &mut PageWindow,
    found: &mut Vec<StuckTask>,
) -> Result<u64, Error> {
    let mut all = 0;
    for state in [TaskState::Failed, TaskState::Skipped] {
        let total = nonnegative_count(run.counts.in_state(state));
        all += total;
        let first = match window.entries_needed() {
            0 => Vec::new(),
            _ if total <= window.offset => Vec::new(),
            needed => task_table::list_in_state(tx, run.id, state, TaskId(0), needed)?,
        };
        let tasks = window.take_from_list(first, total);
        found.extend(explain_ended_tasks(tx, run, tasks, now)?);
    }
    let waiting = list_waiting_for_profiles(tx, run, now)?;
    let total = waiting.len() as u64;
    all += total;
    found.extend(window.take_from_list(waiting, total));
    let off = list_off_branch(tx, run)?;
    all += off.len() as u64;
    found.extend(window.take_from_list(off.clone(), off.len() as u64));
    let over = list_over_budget(tx, run, now)?;
    all += over.len() as u64;
    found.extend(window.take_from_list(over.clone(), over.len() as u64));
    if run.counts.in_state(TaskState::Dispatched) > 0 {
        let total = nonnegative_count(thread::count_queued_for_unseen(tx, run.id)?);
        all += total;
        let first = thread::list_queued_for_unseen(tx, run.id, window.entries_needed())?;
        let tasks = task_table::load_many(tx, &window.take_from_list(first, total))?;
        found.extend(explain_unclaimed_tasks(tx, tasks)?);
    }
    Ok(all)
}

/// Lists the ready tasks of an open run whose budget allows no further attempt until it is raised.
fn list_over_budget(tx: &mut Transaction<'_>, run: &Run, now: Time) -> Result<Vec<StuckTask>, Error> {
    if run.state.status() != RunStatus::Open {
        return Ok(Vec::new());
    }
    let facts = load_budget_facts(tx, run, &BTreeSet::new(), now)?;
    if facts == BudgetFacts::default() {
        return Ok(Vec::new());
    }
    let mut over = Vec::new();
    for task in task_table::list_ready(tx, run.id, None, now, limit::LIST_DEFAULT, None)? {
        // What live attempts hold becomes free when they end.
        let short = facts.find_shortage(run, &task, task.agent.as_ref(), now);
        let short = short.filter(|short| !short.is_held && run.counts.active() == 0 || short.limit.is_over());
        over.extend(
            short.map(|short| StuckTask { task: task.name, reasons: vec![NotReadyReason::Budget(short)] }),
        );
    }
    Ok(over)
}

/// Lists the tasks that wait for the repair of the run's branch: their commits fell off it, or wait to be merged into it.
fn list_off_branch(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<StuckTask>, Error> {
    if run.ground.is_none() {
        return Ok(Vec::new());
    }
    let is_paused = run.state.pause_reason() == Some(PauseReason::BranchMoved);
    let fallen = worktree::list_fallen_tasks(tx, run.id)?;
    let mut tasks = if fallen.is_empty() { Vec::new() } else { task_table::load_many(tx, &fallen)? };
    if is_paused && run.counts.in_state(TaskState::Reported) > 0 {
        tasks.extend(task_table::list_in_state(tx, run.id, TaskState::Reported, TaskId(0), u32::MAX)?);
    }
    tasks.into_iter().map(|task| explain_off_branch(tx, run, task, is_paused)).collect()
}

fn explain_off_branch(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: Task,
    is_paused: bool,
) -> Result<StuckTask, Error> {
    let reason = match off_branch_reason(tx, &task, is_paused)? {
        Some(reason) => reason,
        None => NotReadyReason::RunPaused { run: run.name.clone(), reason: PauseReason::BranchMoved },
    };
    Ok(StuckTask { task: task.name, reasons: vec![reason] })
}

/// Returns the reason of a task whose merged commit is no longer on the run's branch.
pub fn off_branch_reason(
    tx: &mut Transaction<'_>,
    task: &Task,
    is_paused: bool,
) -> Result<Option<NotReadyReason>, Error> {
    let Some(last) = task.attempt else { return Ok(None) };
    let tree = worktree::load(tx, last.id)?.filter(|tree| tree.fell_off);
    Ok(tree
        .map(|tree| NotReadyReason::OffBranch { commit: tree.head.unwrap_or(tree.base), paused: is_paused }))
}

/// Explains why failed or skipped tasks will not proceed by themselves.
fn explain_ended_tasks(
    tx: &mut Transaction<'_>,
    run: &Run,
    tasks: Vec<Task>,
    now: Time,
) -> Result<Vec<StuckTask>, Error> {
    let skipped: Vec<TaskId> =
        tasks.iter().filter(|task| task.state == TaskState::Skipped).map(|task| task.id).collect();
    let causes = not_ready::load_failure_causes(tx, &skipped, limit::CAUSE_STEPS_LISTED)?;
    let explain = |task: Task| {
        let mut reasons = decide::not_ready_reasons(run, &task, now);
        if task.state == TaskState::Skipped {
            reasons.retain(|reason| matches!(reason, NotReadyReason::DependencyFailed { .. }));
            not_ready::fill_failure_cause(&mut reasons, causes.get(&task.id));
        }
        StuckTask { reasons, task: task.name }
    };
    Ok(tasks.into_iter().map(explain).collect())
}

fn nonnegative_count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Explains dispatched tasks whose agent was never seen: its name may be mistyped.
fn explain_unclaimed_tasks(tx: &mut Transaction<'_>, tasks: Vec<Task>) -> Result<Vec<StuckTask>, Error> {
    let ids: Vec<AttemptId> = tasks.iter().filter_map(|task| task.attempt).map(|last| last.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let attempts: HashMap<AttemptId, Attempt> =
        attempt::load_many(tx, &ids)?.into_iter().map(|attempt| (attempt.id, attempt)).collect();
    let names: Vec<&Slug> = attempts.values().map(|attempt| &attempt.agent).collect();
    let seen = agent::list_seen(tx, &names)?;
    let explain = |task: Task| {
        let attempt = task.attempt.and_then(|last| attempts.get(&last.id));
        // An attempt without a thread was not sent yet.
        let unclaimed = attempt.filter(|attempt| attempt.thread.is_some() && !seen.contains(&attempt.agent));
        let reasons =
            unclaimed.map(|attempt| NotReadyReason::Unclaimed { agent: attempt.agent.clone() }).into_iter();
        StuckTask { reasons: reasons.collect(), task: task.name }
    };
    Ok(tasks.into_iter().map(explain).collect())
}

/// Returns the reason of a dispatched task whose agent was never seen.
pub fn unclaimed_reason(tx: &mut Transaction<'_>, task: &Task) -> Result<Option<NotReadyReason>, Error> {
    let explained = explain_unclaimed_tasks(tx, vec![task.clone()])?;
    Ok(explained.into_iter().flat_map(|stuck| stuck.reasons).next())
}
