//! Synchronizing a run: its base branch is merged into the run's branch, which moves from exactly where it was seen, or not at all.
//!
//! The step is recorded first: after an interruption the next performer sees whether the branch has moved.
//! At any time either a synchronization or the merge of an attempt has recorded a step; the other one waits for it.
//! A refused synchronization is given up, so that the branch does not move later without being asked for again.

use orch_core::check::ChecksVerdict;
use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{BranchStep, Effect, EffectKey, EffectKind, SyncPlan, SyncStep};
use orch_core::escape;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::RunId;
use orch_core::refusal::TreeRefusal;
use orch_core::run::branch::settle_synced;
use orch_core::run::{Run, RunState};
use orch_core::task::ChecksStatus;
use orch_store::driver::WriteDurability;
use orch_store::table::effect;
use orch_store::{Transaction, TxEnd};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::complete_effect;
use crate::perform::effect_lease::EffectLease;
use crate::run_branch::{require_checked_tip, run_branch_checks, save_branch_checks};
use orch_git::{CommitId, CommitRelation, GitError, MergeOutcome, Repository};
use orch_inbox::{Error, Session};
use orch_workspace::checks::CheckReport;
use orch_workspace::run_repository::{
    branch_ref, branch_tip, open_repository, require_run_git, to_commit_id, to_stored_commit,
};
use orch_workspace::tracked_branch::{MOVES_MAX, TrackedBranch};

/// The key of a pending synchronization.
pub(crate) fn sync_key(run: RunId) -> EffectKey {
    EffectKey::of_run(EffectKind::Sync, run)
}

/// Whether a synchronization has recorded a step of the run's branch, and not yet that it was taken.
pub(super) fn is_moving_branch(tx: &mut Transaction<'_>, run: RunId) -> Result<bool, Error> {
    let pending = effect::find_pending(tx, sync_key(run))?;
    Ok(pending.is_some_and(|pending| match pending.effect {
        Effect::SyncRun(plan) => plan.is_some_and(|plan| plan.step.is_some()),
        _ => false,
    }))
}

/// Whether a merge of an attempt has recorded a step of the run's branch.
fn is_merging(tx: &mut Transaction<'_>, run: RunId) -> Result<bool, Error> {
    let pending = effect::find_pending(tx, integrate_key(run))?;
    Ok(matches!(pending.map(|pending| pending.effect), Some(Effect::IntegrateRun { merging: Some(_) })))
}

fn integrate_key(run: RunId) -> EffectKey {
    EffectKey::of_run(EffectKind::Integrate, run)
}

/// Synchronizes the run whose effect is held.
pub(crate) fn perform_recorded(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    match &lease.effect {
        Effect::SyncRun(plan) => perform_sync(session, lease, plan.as_ref()),
        _ => Ok(()),
    }
}

/// Merges the base branch into the run's branch.
pub(crate) fn perform_sync(
    session: &mut Session,
    lease: &EffectLease,
    plan: Option<&SyncPlan>,
) -> Result<(), Error> {
    let Some(plan) = plan else { return lease.complete_alone(session) };
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    let mut sync = PendingSync { run: &run, repository: &repository, lease, plan: plan.clone() };
    match sync.merge_base(session) {
        Ok(true) => Ok(()),
        Err(error @ Error::Store(_)) => Err(error),
        // Nothing is merged later without being asked for again; but files that were moved are moved back first.
        merged => match sync.undo_step() {
            Ok(()) => lease.complete_alone(session).and(merged.map(|_| ())),
            Err(left) => Err(merged.err().unwrap_or(left)),
        },
    }
}

/// A synchronization that this process performs.
struct PendingSync<'a> {
    run: &'a Run,
    repository: &'a Repository,
    lease: &'a EffectLease,
    /// As it is recorded, with its last step.
    plan: SyncPlan,
}

impl<'a> PendingSync<'a> {
    /// `true` where the merge was recorded, which completes the effect; `false` where there was nothing to merge.
    fn merge_base(&mut self, session: &mut Session) -> Result<bool, Error> {
        let (run, repository) = (self.run, self.repository);
        for _ in 0..MOVES_MAX {
            if let Some(recorded) = self.plan.step.clone() {
                // A merge of an attempt may have moved the branch on.
                let target = self.branch()?;
                if repository.is_ancestor(&to_commit_id(&recorded.step.to)?, &target.tip)? {
                    repository.flush()?;
                    return self.record_sync(session, &recorded, None);
                }
                self.undo_step()?;
                self.plan.step = None;
            }
            if run.state == RunState::Cancelled {
                return Ok(false);
            }
            let tip = require_checked_tip(session, run.id, repository)?;
            let base = resolve_base(repository, run, &self.plan.from)?;
            let to = match repository.commit_relation(&tip, &base)? {
                CommitRelation::UpToDate => return Ok(false),
                CommitRelation::FastForward => base.clone(),
                CommitRelation::Diverged => self.write_merge(&tip, &base)?,
            };
            let branch = TrackedBranch::new(repository, &require_run_git(run)?.branch, tip)?;
            branch.check_advance(&to)?;
            let report = self.check_merge(session, &to)?;
            let step = SyncStep {
                step: BranchStep { from: to_stored_commit(&branch.tip), to: to_stored_commit(&to) },
                base: to_stored_commit(&base),
                checked: !report.checks.is_empty(),
            };
            if !self.record_step(session, &step)? {
                // The branch is somewhere else after the merge of the attempt.
                finish_merges(session, run.id)?;
                continue;
            }
            // After a power loss, the branch must never name a commit that is missing.
            repository.flush()?;
            match branch.advance(&to) {
                Ok(()) => {
                    if run.rules.run_hooks {
                        repository.run_post_merge_hook()?;
                    }
                    repository.flush()?;
                    return self.record_sync(session, &step, Some(&report));
                }
                // Another process moved the branch.
                Err(GitError::RefMoved { found: Some(_), .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(GitError::Busy.into())
    }

    /// Writes the merge of both commits.
    fn write_merge(&self, tip: &CommitId, base: &CommitId) -> Result<CommitId, Error> {
        let (run, repository, plan) = (self.run, self.repository, &self.plan);
        let branch = &require_run_git(run)?.branch;
        match repository.merge_trees(tip, base)? {
            MergeOutcome::Merged { tree } => {
                let checks =
                    if run.rules.verify.is_empty() { ChecksStatus::None } else { ChecksStatus::Passed };
                let trailers = CommitTrailers {
                    checks: Some(checks),
                    accepted_by: Some(plan.requested_by.clone()),
                    ..CommitTrailers::default()
                };
                let message = format!("Merge {} into {branch}\n", plan.from);
                let mut message = trailers.append_to(&message, &run.rules);
                if run.rules.run_hooks {
                    message = repository.run_merge_hooks(&message)?;
                }
                Ok(repository.write_merge_commit(&tree, &[tip.clone(), base.clone()], &message)?)
            }
            MergeOutcome::Conflict(conflict) => {
                let files = conflict.files.iter().map(|path| escape::path_text(path)).collect();
                let (run, branch, from) = (run.name.clone(), branch.clone(), plan.from.clone());
                let commit = to_stored_commit(base);
                Err(TreeRefusal::SyncConflict { run, branch, from, commit, files }.into())
            }
        }
    }

    /// Runs the run's checks on the merged tree.
    fn check_merge(&self, session: &mut Session, to: &CommitId) -> Result<CheckReport, Error> {
        let (run, commit) = (self.run, to_stored_commit(to));
        let report = run_branch_checks(session, run, &commit, self.lease.checks.reuse)?;
        if report.verdict() == ChecksVerdict::Good {
            return Ok(report);
        }
        // The results are known from now on; the checks of the branch stay those of its present commit.
        session.write(WriteDurability::Power, |tx, _| report.save_results(tx).map(TxEnd::Commit))?;
        let subject = format!("{} with {} merged into it", require_run_git(run)?.branch, self.plan.from);
        Err(TreeRefusal::ChecksFailed { subject, checks: report.failed_checks(run) }.into())
    }

    /// The run's branch at its present commit.
    fn branch(&self) -> Result<TrackedBranch<'a>, Error> {
        let name = &require_run_git(self.run)?.branch;
        TrackedBranch::new(self.repository, name, branch_tip(self.repository, name)?)
    }

    /// Moves the files of the checkout back that an interrupted step has moved, if there was one.
    fn undo_step(&self) -> Result<(), Error> {
        let Some(recorded) = &self.plan.step else { return Ok(()) };
        let name = branch_ref(&require_run_git(self.run)?.branch)?;
        // Without the branch there is nothing to move back.
        let Some(tip) = self.repository.read_ref(&name)? else { return Ok(()) };
        let (from, to) = (to_commit_id(&recorded.step.from)?, to_commit_id(&recorded.step.to)?);
        if tip == from {
            self.branch()?.undo_step(&from, &to)?;
        }
        Ok(())
    }

    /// Records the step of the branch before it is taken; `false` where the merge of an attempt has recorded one.
    fn record_step(&mut self, session: &mut Session, step: &SyncStep) -> Result<bool, Error> {
        let plan = SyncPlan { step: Some(step.clone()), ..self.plan.clone() };
        let effect = Effect::SyncRun(Some(plan.clone()));
        let recorded = session.write(WriteDurability::Power, |tx, _| {
            if is_merging(tx, self.run.id)? {
                return Ok(TxEnd::Rollback(false));
            }
            self.lease.record_progress(tx, &effect).map(|()| TxEnd::Commit(true))
        })?;
        if recorded {
            self.plan = plan;
        }
        Ok(recorded)
    }

    /// Records that the run's branch has the base; the results of checks are unknown after an interruption.
    fn record_sync(
        &self,
        session: &mut Session,
        recorded: &SyncStep,
        report: Option<&CheckReport>,
    ) -> Result<bool, Error> {
        let (plan, lease) = (&self.plan, self.lease);
        tool_transaction(session, |unit| {
            if !lease.complete(unit.tx)? {
                return Ok(true);
            }
            if let Some(report) = report {
                save_branch_checks(unit, lease.run, report)?;
            }
            let before = unit.load_run(lease.run)?.clone();
            unit.replace_run(settle_synced(&before, recorded, unit.now));
            let data = vec![
                ("branch", require_run_git(self.run)?.branch.as_str().into()),
                ("with", plan.from.as_str().into()),
                ("base", recorded.base.as_str().into()),
                ("from", recorded.step.from.as_str().into()),
                ("commit", recorded.step.to.as_str().into()),
            ];
            let about = EventSubject::of_run(lease.run);
            unit.append_event(EventKind::Synced, about, Some(plan.requested_by.clone()), data)?;
            Ok(true)
        })
    }
}

/// The commit that is merged: a branch of this name, else what git knows by it.
///
/// # Errors
/// `SyncBaseMissing`.
pub(crate) fn resolve_base(repository: &Repository, run: &Run, from: &str) -> Result<CommitId, Error> {
    if let Ok(tip) = branch_tip(repository, from) {
        return Ok(tip);
    }
    match repository.resolve_commit(from) {
        Err(GitError::NotFound(_)) => {
            let (run, from) = (run.name.clone(), Some(from.to_owned()));
            Err(TreeRefusal::SyncBaseMissing { run, from }.into())
        }
        found => Ok(found?),
    }
}

/// Waits until attempts are merged whose merge was recorded, or finishes merges that were interrupted.
fn finish_merges(session: &mut Session, run: RunId) -> Result<(), Error> {
    match complete_effect(session, integrate_key(run)) {
        Err(error @ Error::Store(_)) => Err(error),
        // Its own error is reported to the command that requested it.
        _ => Ok(()),
    }
}
