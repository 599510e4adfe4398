//! Continuation: an attempt continues in the session and the worktree of the one before it, which was rejected, or was
//! ended at a limit that was raised since.
//!
//! The worktree changes its owner in the transaction that creates the attempt, so it has one owner at any time.
//! `perform::hand_over` does the rest when it prepares the worktree.

use std::path::Path;

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::effect::{EffectKey, EffectKind};
use orch_core::id::{Slug, ThreadId};
use orch_core::run::Run;
use orch_core::run::budget::{LIMIT_REASON, LimitScope, LimitUsage};
use orch_core::task::Task;
use orch_core::time::Time;
use orch_core::worker::{Worker, WorkerOutcome};
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, effect, usage, worker, worktree};

use orch_git::is_folder_at;
use orch_inbox::Error;
use orch_process::host_id;

/// An ended attempt that the next one can continue.
pub struct ContinuableAttempt {
    attempt: Attempt,
    tree: Worktree,
}

/// Finds the last attempt of a task if the next one can continue it.
///
/// Its session can be resumed by the same agent on this host, and its worktree exists.
/// After a rejection the task must have rework left; after an end at a limit, the limit must have been raised.
pub fn find_continuable_attempt(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: &Task,
    agent: &Slug,
) -> Result<Option<ContinuableAttempt>, Error> {
    let Some(last) = task.attempt else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    let ends = [AttemptState::Rejected, AttemptState::Failed, AttemptState::Recalled];
    let Some(thread) = attempt.thread.filter(|_| ends.contains(&attempt.state)) else { return Ok(None) };
    let Some(tree) = worktree::load(tx, attempt.id)? else { return Ok(None) };
    if tree.state != WorktreeState::Present || !is_folder_at(Path::new(&tree.path)) {
        return Ok(None);
    }
    // One whose worker still runs, or that has no session, is not continued.
    let resumable = worker::load(tx, thread)?.filter(|row| {
        row.end.is_some()
            && row.session.is_some()
            && row.profile.as_ref() == Some(agent)
            && row.host == host_id()
    });
    let Some(row) = resumable else { return Ok(None) };
    let continues = match attempt.state {
        AttemptState::Rejected => {
            tree.head.is_some() && worktree::count_rework(tx, task.id)? < i64::from(run.rules.rework)
        }
        _ => was_ended_at_limit(&attempt, &row) && !exceeds_attempt_limit(tx, run, thread)?,
    };
    let clearing = EffectKey::of_attempt(EffectKind::Clear, run.id, attempt.id);
    if !continues || effect::find_pending(tx, clearing)?.is_some() {
        return Ok(None);
    }
    Ok(Some(ContinuableAttempt { attempt, tree }))
}

/// Whether a limit ended an attempt: its own or its task's, at which it fails, or its run's, at which it is recalled.
fn was_ended_at_limit(attempt: &Attempt, row: &Worker) -> bool {
    let has_outcome = row.end.as_ref().is_some_and(|end| end.outcome == WorkerOutcome::Budget);
    has_outcome || attempt.reason.as_ref().is_some_and(|reason| reason.starts_with(LIMIT_REASON))
}

/// Whether an attempt has used more than an attempt may use now.
///
/// The dispatch itself looks at the limits of the task and the run.
fn exceeds_attempt_limit(tx: &mut Transaction<'_>, run: &Run, thread: ThreadId) -> Result<bool, Error> {
    let limits = run.budget.attempt;
    if !limits.is_limited() {
        return Ok(false);
    }
    let used = usage::list_by_threads(tx, &[thread])?.pop().map(|(_, sum)| sum).unwrap_or_default();
    Ok(limits.usage(LimitScope::Attempt, used.spent, used.wall).any(LimitUsage::is_over))
}

impl ContinuableAttempt {
    /// Hands the worktree over to the attempt for which `planned` was planned.
    pub fn hand_over(
        &self,
        tx: &mut Transaction<'_>,
        planned: Worktree,
        now: Time,
    ) -> Result<Worktree, Error> {
        let former = Worktree { state: WorktreeState::Removed, updated_at: now, ..self.tree.clone() };
        worktree::save(tx, &former)?;
        Ok(self.tree.hand_over(&self.attempt.name, planned))
    }
}
