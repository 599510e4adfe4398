//! Tasks that wait because no worker of their profile is started for now.

use std::collections::HashMap;

use orch_core::cooldown::ProfileCooldown;
use orch_core::id::{Slug, TaskId};
use orch_core::limit;
use orch_core::refusal::NotReadyReason;
use orch_core::run::{Run, RunStatus};
use orch_core::task::{Task, TaskState};
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::{profile_cooldown, task as task_table, thread};

use crate::blocked::StuckTask;
use orch_inbox::Error;

/// Lists the tasks of a run that wait for profiles, those with an attempt first.
pub(crate) fn list_waiting_for_profiles(
    tx: &mut Transaction<'_>,
    run: &Run,
    now: Time,
) -> Result<Vec<StuckTask>, Error> {
    let Some(cooldowns) = ActiveCooldowns::load(tx, run, now)? else { return Ok(Vec::new()) };
    let sent_to = list_unclaimed(tx, run)?;
    let mut ids: Vec<TaskId> = sent_to.keys().copied().collect();
    ids.sort_unstable();
    let mut tasks = if ids.is_empty() { Vec::new() } else { task_table::load_many(tx, &ids)? };
    if run.counts.in_state(TaskState::Ready) > 0 {
        tasks.extend(task_table::list_ready(tx, run.id, None, now, limit::LIST_DEFAULT, None)?);
    }
    let waiting = tasks.into_iter().filter_map(|task| {
        let reasons = cooldowns.reasons_of(run, &task, sent_to.get(&task.id));
        (!reasons.is_empty()).then_some(StuckTask { task: task.name, reasons })
    });
    Ok(waiting.collect())
}

/// Returns why no worker of a task's profile is started.
pub(crate) fn profile_reasons(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: &Task,
    now: Time,
) -> Result<Vec<NotReadyReason>, Error> {
    if !matches!(task.state, TaskState::Dispatched | TaskState::Ready) {
        return Ok(Vec::new());
    }
    let Some(cooldowns) = ActiveCooldowns::load(tx, run, now)? else { return Ok(Vec::new()) };
    let sent_to = list_unclaimed(tx, run)?;
    Ok(cooldowns.reasons_of(run, task, sent_to.get(&task.id)))
}

/// Returns the tasks with an unclaimed attempt, with the agents that they were sent to.
fn list_unclaimed(tx: &mut Transaction<'_>, run: &Run) -> Result<HashMap<TaskId, Slug>, Error> {
    if run.counts.in_state(TaskState::Dispatched) == 0 {
        return Ok(HashMap::new());
    }
    let queued = thread::list_queued_by_run(tx, run.id)?.into_iter();
    Ok(queued.filter_map(|thread| Some((thread.head.reference?.task, thread.head.to))).collect())
}

/// The cooldowns that are not over.
struct ActiveCooldowns(Vec<ProfileCooldown>);

impl ActiveCooldowns {
    /// `None` when nothing in the run can wait for a profile.
    fn load(tx: &mut Transaction<'_>, run: &Run, now: Time) -> Result<Option<Self>, Error> {
        let waiting = run.counts.in_state(TaskState::Dispatched) + run.counts.in_state(TaskState::Ready);
        if run.state.status() != RunStatus::Open || waiting == 0 {
            return Ok(None);
        }
        let mut active = profile_cooldown::list_all(tx)?;
        active.retain(|cooldown| cooldown.is_active(now));
        Ok((!active.is_empty()).then_some(Self(active)))
    }

    fn reasons_of(&self, run: &Run, task: &Task, sent_to: Option<&Slug>) -> Vec<NotReadyReason> {
        let agent = match task.state {
            TaskState::Dispatched => sent_to,
            _ => task.agent.as_ref(),
        };
        let concerns = |cooldown: &&ProfileCooldown| match agent {
            Some(agent) => cooldown.profile == *agent,
            // A task for any profile waits only where no other profile works on the run.
            None => {
                task.state == TaskState::Ready
                    && cooldown.run == Some(run.id)
                    && run.counts.in_state(TaskState::Running) == 0
            }
        };
        let reason =
            |cooldown: &ProfileCooldown| NotReadyReason::ProfileUnavailable(Box::new(cooldown.clone()));
        self.0.iter().filter(concerns).map(reason).collect()
    }
}
