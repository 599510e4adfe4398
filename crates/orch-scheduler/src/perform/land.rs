//! Landing a run: its branch is merged into another one, which moves from exactly where it was seen, or not at all.
//!
//! The step is recorded first: after an interruption the next performer sees whether the branch has moved.
//! A refused landing is given up, so that nothing lands later without being asked for again.

use orch_core::check::{CheckStage, CheckState, ChecksVerdict};
use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{BranchStep, Effect, EffectKey, EffectKind, LandingMode, LandingPlan};
use orch_core::escape;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{AttemptId, AttemptName, CommitHash, TaskName};
use orch_core::refusal::{FailedCheck, TreeRefusal};
use orch_core::run::{DoneWhen, LandingManner, Run, RunLanding};
use orch_core::task::{ChecksStatus, TaskState};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, check_result, check_run, run as run_table, worktree};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::{EffectLease, request_effect};
use crate::perform::integrate;
use crate::run_branch::{recorded_tip, require_checked_tip};
use orch_git::{CommitId, CommitRelation, GitError, MergeOutcome, Repository};
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::{CheckReuse, run_known_checks};
use orch_workspace::checks;
use orch_workspace::checks::{CheckReport, CheckSubject};
use orch_workspace::run_repository::{
    branch_tip, open_repository, require_run_git, to_commit_id, to_stored_commit,
};
use orch_workspace::task_outcome;
use orch_workspace::tracked_branch::{MOVES_MAX, TrackedBranch};

/// Lands the run.
pub(super) fn perform_landing(
    session: &mut Session,
    lease: &EffectLease,
    plan: Option<&LandingPlan>,
) -> Result<(), Error> {
    let Some(plan) = plan else { return lease.complete_alone(session) };
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    let mut landing = PendingLanding { run: &run, repository: &repository, lease, plan: plan.clone() };
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
struct PendingLanding<'a> {
    run: &'a Run,
    repository: &'a Repository,
    lease: &'a EffectLease,
    /// As it is recorded, with its last step.
    plan: LandingPlan,
}

impl<'a> PendingLanding<'a> {
    /// `true` where the landing was recorded, which completes the effect.
    fn land_onto_branch(&mut self, session: &mut Session) -> Result<bool, Error> {
        let (run, repository) = (self.run, self.repository);
        let has_fallen = session.query(|tx| Ok(!worktree::list_fallen_tasks(tx, run.id)?.is_empty()))?;
        if run.policy.done_when != DoneWhen::Integrated || has_fallen {
            self.merge_accepted_attempts(session)?;
        }
        // Merging has moved the branch from where it was when the run was loaded.
        let tip = match recorded_tip(run).filter(|_| run.policy.done_when == DoneWhen::Integrated) {
            Some(tip) => tip,
            None => require_checked_tip(session, run.id, repository)?,
        };
        let merged = MergedWork::load(session, run)?;
        merged.require_contained(repository, run, &tip)?;
        if let LandingMode::Pushed { commit, .. } = &self.plan.mode {
            let commit = to_commit_id(commit)?;
            return self.land_pushed(session, &tip, &commit, merged.tasks);
        }
        for _ in 0..MOVES_MAX {
            let target = self.target()?;
            if let Some(step) = self.plan.step.clone() {
                if repository.is_ancestor(&to_commit_id(&step.to)?, &target.tip)? {
                    repository.flush()?;
                    return self.record_landing(session, &step.to, Some(&step.from), merged.tasks);
                }
                self.undo_step()?;
            }
            let to = match repository.commit_relation(&target.tip, &tip)? {
                CommitRelation::UpToDate => return Ok(false),
                CommitRelation::FastForward => tip.clone(),
                CommitRelation::Diverged => {
                    merge_onto(repository, (run, &merged), &self.plan, &target.tip, &tip)?
                }
            };
            target.check_advance(&to)?;
            let is_judged =
                to == tip && merged.is_judged(&tip) && self.lease.checks.reuse == CheckReuse::Known;
            if self.plan.mode == LandingMode::Checked && !is_judged {
                self.check_landing(session, &to, &target.tip)?;
            }
            let step = self.record_step(session, &target.tip, &to)?;
            // After a power loss, the target branch must never name a commit that is missing.
            repository.flush()?;
            match target.advance(&to) {
                Ok(()) => {
                    if self.plan.run_hooks {
                        repository.run_post_merge_hook()?;
                    }
                    repository.flush()?;
                    return self.record_landing(session, &step.to, Some(&step.from), merged.tasks);
                }
                // Another process moved the target branch.
                Err(GitError::RefMoved { found: Some(_), .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(GitError::Busy.into())
    }

    /// Merges accepted attempts into the run's branch, in a run whose tasks are done before they are merged.
    fn merge_accepted_attempts(&self, session: &mut Session) -> Result<(), Error> {
        let (run, checks) = (self.run, self.lease.checks);
        let integrate = Effect::IntegrateRun { merging: None };
        session.write(WriteDurability::Power, |tx, now| {
            request_effect(tx, run.id, &integrate, now)?;
            Ok(TxEnd::Commit(()))
        })?;
        let key = EffectKey::of_run(EffectKind::Integrate, run.id);
        if let Some(lease) = EffectLease::wait_and_acquire(session, key)? {
            lease.with_checks(checks).perform(session, |session, lease| match &lease.effect {
                Effect::IntegrateRun { merging } => {
                    integrate::merge_reported_attempts(session, lease, merging.as_ref())
                }
                _ => Ok(()),
            })?;
        }
        if self.plan.partial {
            return Ok(());
        }
        let left =
            session.read(|tx, _| Ok(worktree::list_unmerged_attempts(tx, run.id, TaskState::Done)?))?;
        match left.first() {
            Some(first) => Err(unmerged_error(session, run, self.repository, *first)?),
            None => Ok(()),
        }
    }

    /// Records a landing that was made elsewhere; `false` if it is recorded already.
    fn land_pushed(
        &self,
        session: &mut Session,
        tip: &CommitId,
        commit: &CommitId,
        tasks: i64,
    ) -> Result<bool, Error> {
        let commit_hash = to_stored_commit(commit);
        let is_known = self.run.landing.as_ref().is_some_and(|landing| {
            (&landing.commit, &landing.onto) == (&commit_hash, &self.plan.onto) && landing.tasks == tasks
        });
        if is_known {
            return Ok(false);
        }
        if self.plan.mode.reason().is_none() && !self.repository.recognises_merge(commit, tip)? {
            let run = self.run.name.clone();
            return Err(TreeRefusal::LandingDiffers { run, commit: commit_hash }.into());
        }
        self.repository.flush()?;
        self.record_landing(session, &commit_hash, None, tasks)
    }

    /// Runs the run's checks on what is to land; where they fail, also on the target branch alone.
    fn check_landing(&self, session: &mut Session, to: &CommitId, target: &CommitId) -> Result<(), Error> {
        let run = self.run;
        let specs = checks::check_specs(&run.rules.verify, &[]);
        if specs.is_empty() {
            return Ok(());
        }
        let at = to_stored_commit(to);
        let subject =
            CheckSubject { run, attempt: None, slot: 0, stage: CheckStage::Land, commit: &at, stop: None };
        let report = run_known_checks(session, &subject, &specs, self.lease.checks.reuse)?;
        session.write(WriteDurability::Power, |tx, _| {
            check_run::clear_run(tx, run.id, CheckStage::Land)?;
            report.save(tx).map(TxEnd::Commit)
        })?;
        let on_target = match report.verdict() {
            ChecksVerdict::Good => return Ok(()),
            ChecksVerdict::Bad => self.check_target(session, target, &report)?,
            ChecksVerdict::Unknown => None,
        };
        let checks = report.failed_checks(run);
        let (run, onto) = (run.name.clone(), self.plan.onto.clone());
        Err(TreeRefusal::LandChecksFailed { run, onto, checks, on_target }.into())
    }

    /// Runs the checks that failed on the target branch alone; `None` where they could not run there.
    fn check_target(
        &self,
        session: &mut Session,
        target: &CommitId,
        failed: &CheckReport,
    ) -> Result<Option<Vec<FailedCheck>>, Error> {
        let run = self.run;
        let commands: Vec<String> =
            failed.failed_checks(run).into_iter().map(|check| check.command).collect();
        let at = to_stored_commit(target);
        let subject =
            CheckSubject { run, attempt: None, slot: 0, stage: CheckStage::Target, commit: &at, stop: None };
        let specs = checks::check_specs(&commands, &[]);
        let report = run_known_checks(session, &subject, &specs, self.lease.checks.reuse)?;
        session.write(WriteDurability::Power, |tx, _| {
            check_run::clear_run(tx, run.id, CheckStage::Target)?;
            report.save(tx).map(TxEnd::Commit)
        })?;
        let is_known = report.verdict() != ChecksVerdict::Unknown;
        Ok(is_known.then(|| report.failed_checks(run)))
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
    fn record_step(
        &mut self,
        session: &mut Session,
        from: &CommitId,
        to: &CommitId,
    ) -> Result<BranchStep, Error> {
        let step = BranchStep { from: to_stored_commit(from), to: to_stored_commit(to) };
        self.plan.step = Some(step.clone());
        let recorded = Effect::LandRun(Some(self.plan.clone()));
        session.write(WriteDurability::Power, |tx, _| {
            self.lease.record_progress(tx, &recorded).map(TxEnd::Commit)
        })?;
        Ok(step)
    }

    /// Records that the run is on the target branch.
    fn record_landing(
        &self,
        session: &mut Session,
        commit: &CommitHash,
        from: Option<&CommitHash>,
        tasks: i64,
    ) -> Result<bool, Error> {
        let (plan, lease) = (&self.plan, self.lease);
        let manner = match &plan.mode {
            LandingMode::Checked => LandingManner::Checked,
            LandingMode::Unverified { .. } => LandingManner::Unverified,
            LandingMode::Pushed { .. } => LandingManner::Pushed,
        };
        tool_transaction(session, |unit| {
            if !lease.complete(unit.tx)? {
                return Ok(true);
            }
            let mut data = vec![
                ("onto", plan.onto.as_str().into()),
                ("commit", commit.as_str().into()),
                ("partial", plan.partial.into()),
                ("manner", manner.name().into()),
            ];
            data.extend(from.map(|from| ("from", from.as_str().into())));
            data.extend(plan.mode.reason().map(|reason| ("reason", reason.into())));
            let about = EventSubject::of_run(lease.run);
            unit.append_event(EventKind::Landed, about, Some(plan.requested_by.clone()), data)?;
            let landing = RunLanding {
                onto: plan.onto.clone(),
                commit: commit.clone(),
                manner,
                reason: plan.mode.reason().map(str::to_owned),
                partial: plan.partial,
                tasks,
                by: plan.requested_by.clone(),
                at: unit.now,
            };
            run_table::save_landing(unit.tx, lease.run, &landing)?;
            if !plan.partial {
                check_result::clear(unit.tx, lease.run)?;
            }
            Ok(true)
        })
    }
}

/// What the store says is on the run's branch.
struct MergedWork {
    /// How many tasks are on the branch.
    tasks: i64,
    /// The attempts with which it got them.
    attempts: Vec<AttemptName>,
    /// The commit at which the branch got each of them.
    commits: Vec<(TaskName, CommitId)>,
    /// Of these, the commits that checks passed on, or that the lead accepted without.
    judged: Vec<CommitId>,
}

impl MergedWork {
    fn load(session: &mut Session, run: &Run) -> Result<Self, Error> {
        let mut merged = Self { tasks: 0, attempts: Vec::new(), commits: Vec::new(), judged: Vec::new() };
        session.read(|tx, _| {
            task_outcome::for_each_task(tx, run.id, |outcome| {
                let commit = outcome.tree.as_ref().and_then(|tree| tree.merged.as_ref());
                let Some(commit) = commit.filter(|_| outcome.is_merged()) else { return };
                let Some(commit) = CommitId::parse(commit.as_str()) else { return };
                let status = outcome.attempt.as_ref().map(|attempt| attempt.checks);
                if matches!(status, Some(ChecksStatus::Passed | ChecksStatus::Overridden)) {
                    merged.judged.push(commit.clone());
                }
                merged.tasks += 1;
                merged.attempts.extend(outcome.attempt.map(|attempt| attempt.name));
                merged.commits.push((outcome.task.name, commit));
            })?;
            // Where others advanced the branch, its checks have run there.
            let ran = check_run::list_by_stage(tx, run.id, CheckStage::Branch)?;
            if ran.iter().all(|check| check.state == CheckState::Passed) {
                merged.judged.extend(ran.first().and_then(|check| CommitId::parse(check.commit.as_str())));
            }
            Ok(())
        })?;
        Ok(merged)
    }

    /// Returns whether the branch got its newest task with this commit, and that was judged.
    fn is_judged(&self, tip: &CommitId) -> bool {
        self.judged.contains(tip)
    }

    /// Refuses to land a branch that lacks a commit which the answer would list.
    fn require_contained(&self, repository: &Repository, run: &Run, tip: &CommitId) -> Result<(), Error> {
        let all: Vec<CommitId> = self.commits.iter().map(|(_, commit)| commit.clone()).collect();
        if repository.contains_all(tip, &all).unwrap_or(false) {
            return Ok(());
        }
        for (task, commit) in &self.commits {
            if !repository.is_ancestor(commit, tip).unwrap_or(false) {
                return Err(TreeRefusal::MergedWorkMissing {
                    run: run.name.clone(),
                    branch: require_run_git(run)?.branch.clone(),
                    task: task.clone(),
                    commit: to_stored_commit(commit),
                    tip: to_stored_commit(tip),
                }
                .into());
            }
        }
        Ok(())
    }
}

/// Writes a commit that merges the run's branch with the target branch.
fn merge_onto(
    repository: &Repository,
    (run, merged): (&Run, &MergedWork),
    plan: &LandingPlan,
    onto: &CommitId,
    tip: &CommitId,
) -> Result<CommitId, Error> {
    let branch = &require_run_git(run)?.branch;
    match repository.merge_trees(onto, tip)? {
        MergeOutcome::Merged { tree } => {
            let message = format!("Merge {branch} into {}\n\n{}\n", plan.onto, run.title);
            let checks = match &plan.mode {
                LandingMode::Unverified { .. } => ChecksStatus::Overridden,
                LandingMode::Checked if !run.rules.verify.is_empty() => ChecksStatus::Passed,
                LandingMode::Checked | LandingMode::Pushed { .. } => ChecksStatus::None,
            };
            let trailers = CommitTrailers {
                attempts: merged.attempts.clone(),
                profile: None,
                checks: Some(checks),
                accepted_by: Some(plan.requested_by.clone()),
            };
            let mut message = trailers.append_to(&message, &run.rules);
            if plan.run_hooks {
                message = repository.run_merge_hooks(&message)?;
            }
            Ok(repository.write_merge_commit(&tree, &[onto.clone(), tip.clone()], &message)?)
        }
        MergeOutcome::Conflict(conflict) => {
            let files = conflict.files.iter().map(|path| escape::path_text(path)).collect();
            let (run, commit) = (run.name.clone(), to_stored_commit(onto));
            let (onto, branch) = (plan.onto.clone(), branch.clone());
            Err(TreeRefusal::LandConflict { run, onto, commit, branch, files }.into())
        }
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
    let failed: Vec<_> = failed.map(|check| checks::failed_check(run, check)).collect();
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
