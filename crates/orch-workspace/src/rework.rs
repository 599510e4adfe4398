//! Rework: the attempt after a rejected one continues in its session and its worktree.
//!
//! The worktree changes its owner in the transaction that creates the attempt, so it has one owner at any time.
//! `perform::hand_over` does the rest when it prepares the worktree.

use std::path::Path;

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::effect::{EffectKey, EffectKind};
use orch_core::id::Slug;
use orch_core::run::Run;
use orch_core::task::Task;
use orch_core::time::Time;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, effect, worker, worktree};

use orch_git::is_folder_at;
use orch_inbox::Error;
use orch_process::host_id;

/// A rejected attempt that the next one can continue.
pub struct RejectedAttempt {
    attempt: Attempt,
    tree: Worktree,
}

/// Finds the last attempt of a task if it was rejected and the next one can continue it.
///
/// Its session can be resumed by the same agent on this host, its worktree exists, and the task has rework left.
pub fn find_rejected_attempt(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: &Task,
    agent: &Slug,
) -> Result<Option<RejectedAttempt>, Error> {
    let Some(last) = task.attempt.filter(|_| run.rules.rework > 0) else { return Ok(None) };
    let Some(attempt) = attempt::load(tx, last.id)? else { return Ok(None) };
    let Some(thread) = attempt.thread.filter(|_| attempt.state == AttemptState::Rejected) else {
        return Ok(None);
    };
    let Some(tree) = worktree::load(tx, attempt.id)? else { return Ok(None) };
    if tree.state != WorktreeState::Present || tree.head.is_none() || !is_folder_at(Path::new(&tree.path)) {
        return Ok(None);
    }
    // One whose worker still runs, or that has no session, is not continued.
    let is_resumable = worker::load(tx, thread)?.is_some_and(|row| {
        row.end.is_some()
            && row.session.is_some()
            && row.profile.as_ref() == Some(agent)
            && row.host == host_id()
    });
    if !is_resumable || worktree::count_continued(tx, task.id)? >= i64::from(run.rules.rework) {
        return Ok(None);
    }
    let clearing = EffectKey::of_attempt(EffectKind::Clear, run.id, attempt.id);
    if effect::find_pending(tx, clearing)?.is_some() {
        return Ok(None);
    }
    Ok(Some(RejectedAttempt { attempt, tree }))
}

impl RejectedAttempt {
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
