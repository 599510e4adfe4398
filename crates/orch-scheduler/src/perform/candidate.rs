//! A candidate for merging: its facts, and whether its checks allow that.

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::CheckStage;
use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::id::{AttemptId, CommitHash, Slug};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{PauseReason, ReviewPolicy, Run, RunState};
use orch_core::task::{ChecksStatus, Task, TaskConflict, TaskState, TaskText};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_core::worktree::Worktree;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, effect, task as task_table, worker, worktree};
use orch_store::{Transaction, TxEnd};

use crate::judge::find_accepting_agent;
use crate::lookup;
use crate::perform::effect_lease::{EffectLease, request_effect};
use crate::perform::verify;
use crate::perform::verify::{VerifyingAttempt, complete_verification};
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::CheckReuse;
use orch_workspace::checks;
use orch_workspace::checks::{CheckSpec, CheckSubject};

/// An attempt that may be merged.
#[derive(Clone)]
pub(super) struct MergeCandidate {
    pub task: Task,
    pub attempt: Attempt,
    pub text: AttemptText,
    pub tree: Worktree,
    pub worker: Option<Worker>,
    /// The conflict that its task resolves.
    pub conflict: Option<TaskConflict>,
    /// Whether its task says who reviews it.
    pub review: Option<ReviewPolicy>,
    accepted_by: Option<Slug>,
}

impl MergeCandidate {
    pub(super) fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Self>, Error> {
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        let task = lookup::load_task(tx, attempt.task)?;
        let worker = match attempt.thread {
            Some(thread) => worker::load(tx, thread)?,
            None => None,
        };
        let accepted_by = find_accepting_agent(tx, &attempt)?;
        let text = attempt::load_text(tx, id)?;
        let TaskText { conflict, review, .. } = task_table::load_text(tx, task.id)?;
        Ok(Some(Self { task, text, attempt, tree, worker, conflict, review, accepted_by }))
    }

    /// The commit that is merged.
    pub(super) fn head(&self) -> &CommitHash {
        self.tree.head.as_ref().unwrap_or(&self.tree.base)
    }

    /// The attempt whose conflict it resolves.
    pub(super) fn resolved_attempt(&self) -> Option<AttemptId> {
        self.conflict.as_ref().and_then(|conflict| conflict.attempt)
    }

    /// Whether the attempt is still to be merged as it was loaded.
    /// It may have been recalled, cancelled, rejected or given another commit while its checks ran.
    pub(super) fn is_still_wanted(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        let (Some(task), Some(tree)) =
            (task_table::load(tx, self.task.id)?, worktree::load(tx, self.attempt.id)?)
        else {
            return Ok(false);
        };
        let is_last = task.attempt.is_some_and(|last| last.id == self.attempt.id);
        let is_unchanged =
            task.state == self.task.state && tree.head == self.tree.head && tree.merged.is_none();
        Ok(is_last && is_unchanged)
    }

    pub(super) fn merge_message(&self, run: &Run) -> String {
        let message = format!("Merge {}: {}\n", self.attempt.name, self.task.title);
        let trailers = CommitTrailers {
            attempts: vec![self.attempt.name.clone()],
            profile: self.worker.as_ref().and_then(|row| row.profile.clone()),
            checks: Some(self.attempt.checks),
            accepted_by: self.accepted_by.clone(),
        };
        trailers.append_to(&message, &run.rules)
    }

    /// The checks that judge it.
    pub(super) fn check_specs(&self) -> Vec<CheckSpec> {
        match self.attempt.checks {
            ChecksStatus::Overridden => Vec::new(),
            _ => checks::check_specs(&self.text.run_verify, &self.text.task_verify),
        }
    }

    /// Its checks at a commit that merges it.
    pub(super) fn merge_subject<'a>(&'a self, run: &'a Run, merged: &'a CommitHash) -> CheckSubject<'a> {
        CheckSubject {
            run,
            attempt: Some((self.attempt.id, &self.attempt.name)),
            slot: self.tree.slot,
            stage: CheckStage::Merge,
            commit: merged,
            stop: None,
        }
    }

    /// Records in this copy that its checks have passed.
    pub(super) fn set_verified(&mut self) {
        if self.attempt.checks == ChecksStatus::Pending {
            let has_none = self.text.has_no_checks();
            self.attempt.checks = if has_none { ChecksStatus::None } else { ChecksStatus::Passed };
        }
    }
}

/// Whether attempts of the run may be merged in its present state: a run that is paused because a merge failed is tried again.
pub(super) fn accepts_merges(run: &Run) -> bool {
    match &run.state {
        RunState::Open | RunState::Finished(_) => true,
        RunState::Paused(pause) => pause.reason == PauseReason::OperationFailed,
        RunState::Cancelled => false,
    }
}

/// Whether an attempt may be merged.
pub(super) enum CandidateVerification {
    /// Its checks passed, or there are none.
    Passed,
    /// They did not, or it is no longer to be merged.
    NotPassed,
    /// Its checks could not be run, which is recorded with the operation that runs them.
    Failed(Error),
}

/// Runs the checks of an attempt that were not run yet.
pub(super) fn ensure_verified(
    session: &mut Session,
    run: &Run,
    candidate: &MergeCandidate,
    reuse: CheckReuse,
) -> Result<CandidateVerification, Error> {
    let MergeCandidate { task, attempt, text, tree, .. } = candidate;
    let has_nothing_to_check = attempt.checks == ChecksStatus::None && run.rules.protect.is_empty();
    if has_nothing_to_check
        || matches!(attempt.checks, ChecksStatus::Passed | ChecksStatus::Overridden)
        || task.state == TaskState::Done
    {
        return Ok(CandidateVerification::Passed);
    }
    if let Some(failure) = session.read(|tx, now| waiting_failure(tx, attempt, now))? {
        return Ok(CandidateVerification::Failed(failure.into()));
    }
    let effect = Effect::VerifyAttempt { attempt: attempt.id, since: None };
    let requested = session.write(WriteDurability::Power, |tx, now| {
        let state = attempt::load(tx, attempt.id)?.map(|attempt| attempt.state);
        if state != Some(AttemptState::Reported) || !accepts_merges(&lookup::load_run(tx, run.id)?) {
            return Ok(TxEnd::Rollback(None));
        }
        Ok(TxEnd::Commit(Some(request_effect(tx, run.id, &effect, now)?)))
    })?;
    let Some(requested) = requested else { return Ok(CandidateVerification::NotPassed) };
    let verified = match requested.and_then(|requested| EffectLease::of_request(session, requested)) {
        Some(lease) => {
            let (run, attempt, text, tree) = (run.clone(), attempt.clone(), text.clone(), tree.clone());
            let verifying = VerifyingAttempt { run, attempt, text, tree };
            let lease = lease.with_reuse(reuse);
            lease.perform(session, |session, lease| verify::verify_loaded(session, lease, &verifying))
        }
        None => complete_verification(session, run.id, attempt.id, reuse),
    };
    match verified {
        Ok(()) => Ok(CandidateVerification::Passed),
        // Recorded already, as a rejection or as a fault.
        Err(Error::Refused(Refusal::Tree(TreeRefusal::ChecksFailed { .. }))) => {
            Ok(CandidateVerification::NotPassed)
        }
        Err(error @ Error::Store(_)) => Err(error),
        Err(error) => Ok(CandidateVerification::Failed(error)),
    }
}

/// The failure of the verification of an attempt that is not tried again now.
fn waiting_failure(
    tx: &mut Transaction<'_>,
    attempt: &Attempt,
    now: Time,
) -> Result<Option<TreeRefusal>, Error> {
    let key = EffectKey::of_attempt(EffectKind::Verify, attempt.run, attempt.id);
    let Some(pending) = effect::find_pending(tx, key)? else { return Ok(None) };
    let failure = pending.retries.last.as_ref().filter(|_| !pending.retries.is_due(now));
    Ok(failure.map(|failure| TreeRefusal::OperationFailed {
        effect: EffectKind::Verify,
        subject: attempt.name.to_string(),
        message: failure.message.clone(),
    }))
}
