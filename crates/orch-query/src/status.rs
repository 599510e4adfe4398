//! `orch status`: an overview of one run. Its cost does not grow with the run.

use std::collections::HashMap;

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptId, MessageId, Slug, TaskId};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::operation_failure::FailedOperation;
use orch_core::run::{ResourceUsage, Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::time::{Time, TimeSpan};
use orch_store::Transaction;
use orch_store::table::attempt::AttemptActivity;
use orch_store::table::usage::{self, UsageSum};
use orch_store::table::{attempt, message, task as task_table};

use crate::blocked::{OpenQuestions, QuestionSummary, StuckTask};
use crate::clashes;
use crate::clashes::AttemptClash;
use crate::cooldowns::list_waiting_for_profiles;
use crate::failed_operations::list_failed_operations;
use orch_core::event::Event;
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::review::list_open_reviews;
use orch_scheduler::run_branch::notice_branch_moves;
use orch_scheduler::{TaskOverview, lookup};
use orch_workspace::work_message;

/// A task with a live attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUnderWay {
    /// The task.
    pub shown: TaskOverview,
    /// When its attempt began.
    pub since: Time,
    /// The worker's last progress message.
    pub progress: Option<String>,
    /// The worker's last progress in percent, 0 to 100.
    pub percent: Option<u8>,
    /// When the lease of its thread expires.
    pub lease_expires_at: Option<Time>,
    /// What its attempts used.
    pub spent: ResourceUsage,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// The task.
    pub shown: TaskOverview,
    /// Why its last attempt failed.
    pub reason: Option<String>,
}

/// An overview of one run. Each list has at most 20 entries; the run's counts say how many there are.
#[derive(Clone, Debug)]
pub struct RunOverview {
    /// The run, with its counts.
    pub run: Run,
    /// Tasks with a live attempt, oldest first.
    pub active: Vec<TaskUnderWay>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionSummary>,
    /// The reviews that attempts wait for, oldest first.
    pub reviews: Vec<Event>,
    /// Tasks that can be dispatched now, in order.
    pub ready: Vec<TaskOverview>,
    /// Failed tasks, oldest first.
    pub failed: Vec<TaskFailure>,
    /// Operations that failed repeatedly, oldest first.
    pub stuck: Vec<FailedOperation>,
    /// The first tasks that wait for profiles of which no worker is started for now.
    pub waiting: Vec<StuckTask>,
    /// Live attempts that conflict with each other.
    pub clashes: Vec<AttemptClash>,
    /// What the workers of each profile used.
    pub profiles: Vec<(Option<Slug>, UsageSum)>,
    /// The keys of the longest chain of unfinished tasks, in order; the first 20.
    pub critical_path: Vec<Slug>,
    /// The estimated remaining time, if finished attempts allow an estimate.
    pub eta: Option<TimeSpan>,
    /// The time of the overview.
    pub now: Time,
}

/// Loads the overview of a run.
///
/// # Errors
/// The run does not exist, or it is not named and there are several.
pub fn load_overview(session: &mut Session, run: Option<&Slug>) -> Result<RunOverview, Error> {
    let (mut status, mut candidates) = collect_overview(session, run)?;
    if notice_branch_moves(session, [&status.run]) {
        (status, candidates) = collect_overview(session, run)?;
    }
    // A repository that cannot be read must not hide the rest.
    status.clashes = clashes::find_clashes(session, &status.run, candidates).unwrap_or_default();
    Ok(status)
}

/// Loads the overview of a run without clashes, which need git.
///
/// # Errors
/// The errors of [`load_overview`].
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
            task_table::list_ready(tx, run.id, None, now, limit::STATUS_SHOWN, None)?
        } else {
            Vec::new()
        };
        let path_shown = u32::try_from(limit::CRITICAL_PATH_SHOWN).unwrap_or(u32::MAX);
        let critical = task_table::critical_path(tx, run.id, path_shown)?;
        let candidates = clashes::clash_candidates(tx, &run)?;
        let tasks = ShownTasks::load(tx, &run, now)?;
        let open = OpenQuestions::load(tx, &run, limit::STATUS_SHOWN)?;
        let messages = tasks.load_messages(tx, &open)?;
        let StatusLists { active, failed, ready } = tasks.into_lists(tx, ready, &messages)?;
        let chain = critical.first().map_or(0, |(_, rank)| rank + 1);
        let status = RunOverview {
            active,
            questions: open.summarize(&messages, now)?,
            reviews: list_reviews(tx, &run)?,
            ready,
            failed,
            eta: estimate_remaining(tx, &run, chain)?,
            critical_path: critical.into_iter().map(|(key, _)| key).collect(),
            stuck: list_stuck(tx, &run)?,
            waiting: list_waiting(tx, &run, now)?,
            clashes: Vec::new(),
            profiles: load_profile_usage(tx, &run)?,
            now,
            run,
        };
        Ok((status, candidates))
    })
}

/// Lists what the workers of each profile used, where anything is known of it.
pub(crate) fn load_profile_usage(
    tx: &mut Transaction<'_>,
    run: &Run,
) -> Result<Vec<(Option<Slug>, UsageSum)>, Error> {
    match run.spent {
        ResourceUsage { cost_micros: None, tokens: None, .. } => Ok(Vec::new()),
        ResourceUsage { .. } => Ok(usage::list_by_profile(tx, run.id)?),
    }
}

/// Lists the first operations of a run that are not tried again by themselves.
fn list_stuck(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<FailedOperation>, Error> {
    let mut operations = list_failed_operations(tx, &[run])?;
    operations.retain(|operation| operation.stuck);
    operations.truncate(usize::try_from(limit::STATUS_SHOWN).unwrap_or(usize::MAX));
    Ok(operations)
}

/// Lists the first reviews that attempts wait for.
fn list_reviews(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<Event>, Error> {
    if run.counts.in_state(TaskState::Reported) == 0 {
        return Ok(Vec::new());
    }
    let mut reviews = list_open_reviews(tx, run.id)?;
    reviews.truncate(usize::try_from(limit::STATUS_SHOWN).unwrap_or(usize::MAX));
    Ok(reviews)
}

/// Lists the first tasks that wait for profiles.
fn list_waiting(tx: &mut Transaction<'_>, run: &Run, now: Time) -> Result<Vec<StuckTask>, Error> {
    let mut waiting = list_waiting_for_profiles(tx, run, now)?;
    waiting.truncate(usize::try_from(limit::STATUS_SHOWN).unwrap_or(usize::MAX));
    Ok(waiting)
}

/// The states of tasks with a live attempt.
const UNDER_WAY: [TaskState; 4] =
    [TaskState::Dispatched, TaskState::Running, TaskState::Blocked, TaskState::Reported];

/// The lists of tasks in a status.
struct StatusLists {
    active: Vec<TaskUnderWay>,
    failed: Vec<TaskFailure>,
    ready: Vec<TaskOverview>,
}

/// The tasks that a status shows with facts about their attempts.
struct ShownTasks {
    active: Vec<Task>,
    failed: Vec<Task>,
    activity: HashMap<AttemptId, AttemptActivity>,
    spent: HashMap<TaskId, ResourceUsage>,
    failed_attempts: HashMap<AttemptId, Attempt>,
}

impl ShownTasks {
    fn load(tx: &mut Transaction<'_>, run: &Run, now: Time) -> Result<Self, Error> {
        let mut states = UNDER_WAY.to_vec();
        states.push(TaskState::Failed);
        states.retain(|state| run.counts.in_state(*state) > 0);
        let tasks = task_table::list_in_states(tx, run.id, &states, TaskId(0), limit::STATUS_SHOWN)?;
        let (failed, mut active): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| task.state == TaskState::Failed);
        active.truncate(usize::try_from(limit::STATUS_SHOWN).unwrap_or(usize::MAX));
        let attempts_of = |tasks: &[Task]| -> Vec<AttemptId> {
            tasks.iter().filter_map(|task| task.attempt).map(|last| last.id).collect()
        };
        let (mut activity, mut failed_attempts) = (HashMap::new(), HashMap::new());
        let mut spent = HashMap::new();
        if !active.is_empty() {
            let ids: Vec<TaskId> = active.iter().map(|task| task.id).collect();
            let used = task_table::list_usage_of_tasks(tx, &ids, now)?.into_iter();
            spent.extend(used.map(|(task, spent, _)| (task, spent)));
            let found = attempt::load_activity(tx, &attempts_of(&active))?;
            activity.extend(found.into_iter().map(|one| (one.attempt, one)));
        }
        if !failed.is_empty() {
            let found = attempt::load_many(tx, &attempts_of(&failed))?;
            failed_attempts.extend(found.into_iter().map(|attempt| (attempt.id, attempt)));
        }
        Ok(Self { active, failed, activity, spent, failed_attempts })
    }

    /// Loads all messages that the status shows.
    fn load_messages(
        &self,
        tx: &mut Transaction<'_>,
        open: &OpenQuestions,
    ) -> Result<HashMap<MessageId, Message>, Error> {
        let mut ids: Vec<MessageId> = open.message_ids().collect();
        ids.extend(self.activity.values().filter_map(|activity| activity.progress));
        ids.extend(self.failed_attempts.values().filter_map(|attempt| attempt.outcome));
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(message::load_many(tx, &ids)?.into_iter().map(|message| (message.id, message)).collect())
    }

    /// Combines the tasks with the facts about them.
    fn into_lists(
        self,
        tx: &mut Transaction<'_>,
        ready: Vec<Task>,
        messages: &HashMap<MessageId, Message>,
    ) -> Result<StatusLists, Error> {
        let Self { active, failed, activity, spent, failed_attempts } = self;
        let (active_count, failed_count) = (active.len(), failed.len());
        let tasks = active.into_iter().chain(failed).chain(ready).collect();
        let mut overviews = lookup::task_overviews(tx, tasks)?;
        let ready = overviews.split_off(active_count + failed_count);
        let failed = overviews.split_off(active_count);
        let under_way = |shown: TaskOverview| {
            let activity = activity.get(&shown.task.attempt?.id)?;
            let progress = activity.progress.and_then(|id| messages.get(&id));
            Some(TaskUnderWay {
                spent: spent.get(&shown.task.id).copied().unwrap_or_default(),
                shown,
                since: activity.created_at,
                progress: progress.map(|message| message.content.body.clone()),
                percent: progress.and_then(|message| message.content.extra.percent),
                lease_expires_at: activity.lease_expires_at,
            })
        };
        let failure = |shown: TaskOverview| {
            let attempt = shown.task.attempt.and_then(|last| failed_attempts.get(&last.id));
            let outcome = attempt.and_then(|attempt| attempt.outcome).and_then(|id| messages.get(&id));
            let reason = attempt.and_then(|attempt| work_message::end_reason(attempt, outcome));
            TaskFailure { reason, shown }
        };
        Ok(StatusLists {
            active: overviews.into_iter().filter_map(under_way).collect(),
            failed: failed.into_iter().map(failure).collect(),
            ready,
        })
    }
}

/// Estimates the remaining time: the median duration of the last done tasks times the length of the longest chain.
///
/// The median ignores tasks that took unusually long. With fewer agents than parallel tasks the run takes longer.
fn estimate_remaining(tx: &mut Transaction<'_>, run: &Run, chain: u32) -> Result<Option<TimeSpan>, Error> {
    if chain == 0 || run.counts.in_state(TaskState::Done) == 0 {
        return Ok(None);
    }
    let mut measured = attempt::recent_durations(tx, run.id)?;
    Ok(median_span(&mut measured).map(|each| TimeSpan(each.0.saturating_mul(i64::from(chain)))))
}

/// Returns the median.
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
    fn an_unusually_long_duration_does_not_move_the_median() {
        for (measured, median) in [
            (vec![], None),
            (vec![7], Some(7)),
            (vec![9, 1], Some(5)),
            (vec![5, 1_000_000, 3], Some(5)),
            (vec![1, 2, 4, 1_000_000], Some(3)),
        ] {
            let mut spans: Vec<TimeSpan> = measured.iter().copied().map(TimeSpan).collect();
            assert_eq!(median_span(&mut spans), median.map(TimeSpan), "{measured:?}");
        }
    }
}
