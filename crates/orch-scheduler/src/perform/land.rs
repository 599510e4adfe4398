//! Landing a run: its branch is merged into another one, which moves from exactly where it was seen, or not at all.
//!
//! The step is recorded first: after an interruption the next performer sees whether the branch has moved.
//! A refused landing is given up, so that nothing lands later without being asked for again.

use orch_core::check::{CheckStage, CheckState, ChecksVerdict};
use orch_core::effect::{BranchStep, Effect, EffectKey, EffectKind, LandingPlan};
use orch_core::escape;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::AttemptId;
use orch_core::refusal::TreeRefusal;
use orch_core::run::{DoneWhen, Run};
use orch_core::task::TaskState;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, check_run, worktree};

use super::checks::{self, CheckSubject};
use super::effect_lease::{EffectLease, complete_by, request_effect};
use super::integrate;
use super::merge::{MOVES_MAX, TrackedBranch};
use crate::lookup;
use crate::operation::tool_transaction;
use crate::run_branch::{recorded_tip, require_checked_tip};
use crate::run_repository::{branch_tip, open_repository, require_run_git, to_commit_id, to_stored_commit};
use orch_git::{CommitId, CommitRelation, GitError, MergeOutcome, Repository};
use orch_inbox::{Error, Session};

/// Lands the run.
pub(super) fn perform_landing(
    session: &mut Session,
    lease: &EffectLease,
    plan: Option<&LandingPlan>,
) -> Result<(), Error> {
    let Some(plan) = plan else { return lease.complete_alone(session) };
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    let mut landing = Landing { run: &run, repository: &repository, lease, plan: plan.clone() };
    match landing.land_onto_branch(session) {
        Ok(true) => Ok(()),
        Err(error @ Error::Store(_)) => Err(error),
        // Nothing lands later without being asked for again; but files that were moved are moved back first.
        landed => match landing.undo_step() {
            Ok(()) => lease.complete_alone(session).and(landed.map(|_| ())),
            Err(left) => Err(landed.err().unwrap_or(left)),
        },
    }
}

/// A landing that this process performs.
struct Landing<'a> {
    run: &'a Run,
    repository: &'a Repository,
    lease: &'a EffectLease,
    /// As it is recorded, with its last step.
    plan: LandingPlan,
}

impl<'a> Landing<'a> {
    /// `true` where the landing was recorded, which completes the effect.
    fn land_onto_branch(&mut self, session: &mut Session) -> Result<bool, Error> {
        let (run, repository) = (self.run, self.repository);
        if run.policy.done_when != DoneWhen::Integrated {
            merge_accepted_attempts(session, run, &self.plan, repository)?;
        }
        // Merging has moved the branch from where it was when the run was loaded.
        let tip = match recorded_tip(run).filter(|_| run.policy.done_when == DoneWhen::Integrated) {
            Some(tip) => tip,
            None => require_checked_tip(session, run.id, repository)?,
        };
        for _ in 0..MOVES_MAX {
            let target = self.target()?;
            if let Some(step) = &self.plan.step {
                if repository.is_ancestor(&to_commit_id(&step.to)?, &target.tip)? {
                    repository.flush()?;
                    return self.record_landing(session);
                }
                self.undo_step()?;
            }
            let to = match repository.commit_relation(&target.tip, &tip)? {
                CommitRelation::UpToDate => return Ok(false),
                CommitRelation::FastForward => tip.clone(),
                CommitRelation::Diverged => merge_onto(repository, run, &self.plan, &target.tip, &tip)?,
            };
            target.check_advance(&to)?;
            if to != tip {
                check_landing(session, run, &to, &self.plan.onto)?;
            }
            self.record_step(session, &target.tip, &to)?;
            // After a power loss, the target branch must never name a commit that is missing.
            repository.flush()?;
            match target.advance(&to) {
                Ok(()) => {
                    repository.flush()?;
                    return self.record_landing(session);
                }
                // Another process moved the target branch.
                Err(GitError::RefMoved { found: Some(_), .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(GitError::Busy.into())
    }

    /// The target branch at its present commit.
    fn target(&self) -> Result<TrackedBranch<'a>, Error> {
        let tip = branch_tip(self.repository, &self.plan.onto)?;
        TrackedBranch::new(self.repository, &self.plan.onto, tip)
    }

    /// Moves the files of the checkout back that an interrupted step has moved, if there was one.
    fn undo_step(&self) -> Result<(), Error> {
        let Some(step) = &self.plan.step else { return Ok(()) };
        let target = self.target()?;
        let (from, to) = (to_commit_id(&step.from)?, to_commit_id(&step.to)?);
        if target.tip == from {
            target.undo_step(&from, &to)?;
        }
        Ok(())
    }

    /// Records the step of the target branch before it is taken.
    fn record_step(&mut self, session: &mut Session, from: &CommitId, to: &CommitId) -> Result<(), Error> {
        self.plan.step = Some(BranchStep { from: to_stored_commit(from), to: to_stored_commit(to) });
        let recorded = Effect::LandRun(Some(self.plan.clone()));
        session.write(WriteDurability::Power, |tx, _| {
            self.lease.record_progress(tx, &recorded).map(TxEnd::Commit)
        })
    }

    /// Records that the target branch has moved.
    fn record_landing(&self, session: &mut Session) -> Result<bool, Error> {
        let (plan, lease) = (&self.plan, self.lease);
        let Some(step) = &plan.step else { return Ok(false) };
        tool_transaction(session, |unit| {
            if !lease.complete(unit.tx)? {
                return Ok(true);
            }
            let data = vec![
                ("onto", plan.onto.as_str().into()),
                ("commit", step.to.as_str().into()),
                ("from", step.from.as_str().into()),
                ("partial", plan.partial.into()),
            ];
            let about = EventSubject::of_run(lease.run);
            unit.append_event(EventKind::Landed, about, Some(plan.requested_by.clone()), data)?;
            Ok(true)
        })
    }
}

/// Writes a commit that merges the run's branch with the target branch.
fn merge_onto(
    repository: &Repository,
    run: &Run,
    plan: &LandingPlan,
    onto: &CommitId,
    tip: &CommitId,
) -> Result<CommitId, Error> {
    let branch = &require_run_git(run)?.branch;
    match repository.merge_trees(onto, tip)? {
        MergeOutcome::Merged { tree } => {
            let message = format!("Merge {branch} into {}\n\n{}\n", plan.onto, run.title);
            Ok(repository.write_merge_commit(&tree, &[onto.clone(), tip.clone()], &message)?)
        }
        MergeOutcome::Conflict(conflict) => {
            let files = conflict.files.iter().map(|path| escape::path_text(path)).collect();
            Err(TreeRefusal::LandConflict { onto: plan.onto.clone(), branch: branch.clone(), files }.into())
        }
    }
}

/// Runs the run's checks on the merged tree.
fn check_landing(session: &mut Session, run: &Run, at: &CommitId, onto: &str) -> Result<(), Error> {
    let specs = checks::check_specs(&run.rules.verify, &[]);
    if specs.is_empty() {
        return Ok(());
    }
    let at = to_stored_commit(at);
    let subject = CheckSubject { run, attempt: None, slot: 0, stage: CheckStage::Land, commit: &at };
    let report = checks::run_checks(session, &subject, &specs)?;
    session.write(WriteDurability::Power, |tx, _| {
        check_run::clear_run(tx, run.id, CheckStage::Land)?;
        report.save(tx).map(TxEnd::Commit)
    })?;
    if report.verdict() == ChecksVerdict::Good {
        return Ok(());
    }
    let subject = format!("{} merged with {onto}", run.name);
    Err(TreeRefusal::ChecksFailed { subject, checks: report.failed_checks() }.into())
}

/// Merges accepted attempts into the run's branch, in a run whose tasks are done before they are merged.
fn merge_accepted_attempts(
    session: &mut Session,
    run: &Run,
    plan: &LandingPlan,
    repository: &Repository,
) -> Result<(), Error> {
    let integrate = Effect::IntegrateRun { merging: None };
    session.write(WriteDurability::Power, |tx, now| {
        request_effect(tx, run.id, &integrate, now)?;
        Ok(TxEnd::Commit(()))
    })?;
    complete_by(session, EffectKey::of_run(EffectKind::Integrate, run.id), |session, lease| {
        let Effect::IntegrateRun { merging } = &lease.effect else { return Ok(()) };
        integrate::merge_reported_attempts(session, lease, merging.as_ref())
    })?;
    if plan.partial {
        return Ok(());
    }
    let left = session.read(|tx, _| Ok(worktree::list_unmerged_attempts(tx, run.id, TaskState::Done)?))?;
    match left.first() {
        Some(first) => Err(unmerged_error(session, run, repository, *first)?),
        None => Ok(()),
    }
}

/// Why an accepted attempt is not on the run's branch.
fn unmerged_error(
    session: &mut Session,
    run: &Run,
    repository: &Repository,
    id: AttemptId,
) -> Result<Error, Error> {
    let (attempt, tree, ran) = session.read(|tx, _| {
        let attempt = attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
        let tree = worktree::load(tx, id)?.ok_or_else(|| lookup::missing_row("worktree", id.0))?;
        Ok((attempt, tree, check_run::list_by_attempt(tx, id)?))
    })?;
    let failed =
        ran.iter().filter(|check| check.stage == CheckStage::Merge && check.state != CheckState::Passed);
    let failed: Vec<_> = failed.map(checks::failed_check).collect();
    let subject = attempt.name.to_string();
    if !failed.is_empty() {
        return Ok(TreeRefusal::ChecksFailed { subject, checks: failed }.into());
    }
    let (tip, head) =
        (branch_tip(repository, &require_run_git(run)?.branch)?, to_commit_id(tree.accepted_commit())?);
    let files = match repository.merge_trees(&tip, &head)? {
        MergeOutcome::Conflict(conflict) => {
            conflict.files.iter().map(|path| escape::path_text(path)).collect()
        }
        MergeOutcome::Merged { .. } => Vec::new(),
    };
    Ok(TreeRefusal::MergeConflict { subject, files }.into())
}
