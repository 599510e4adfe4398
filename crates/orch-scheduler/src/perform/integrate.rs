//! Merging verified attempts into the run's branch, one after the other.
//!
//! The candidate commit is created without touching a checkout, checked where its tree was not checked already, and recorded; only then does the branch move, from exactly where it was seen.
//! After an interruption the next performer finds the recorded merge, and whether the branch has moved.

use std::collections::BTreeSet;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckStage, ChecksVerdict};
use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{ClearingMode, Effect, EffectKey, EffectKind, PendingEffect, RecordedMerge};
use orch_core::escape;
use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{AttemptId, CommitHash, Slug};
use orch_core::refusal::{Refusal, TreeProblem, TreeRefusal};
use orch_core::run::branch::leave_branch_at;
use orch_core::run::{DoneWhen, PauseReason, Run, RunState};
use orch_core::task::{ChecksStatus, Task, TaskState};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_core::worktree::Worktree;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, check_run, effect, task as task_table, worker, worktree};
use orch_store::{Transaction, TxEnd};

use crate::fresh_read::read_fresh;
use crate::judge::{ReportedAttempt, find_accepting_agent};
use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::clear;
use crate::perform::clear::ClearingAttempt;
use crate::perform::effect_lease::{EffectLease, complete_by, request_effect};
use crate::perform::sweep;
use crate::perform::verify;
use crate::perform::verify::{VerifyingAttempt, complete_verification};
use crate::run_branch::{recorded_tip, require_checked_tip};
use crate::tool_fault::record_tool_fault;
use crate::unit_of_work::UnitOfWork;
use orch_git::{CommitId, CommitRelation, GitError, MergeConflict, MergeOutcome};
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::{CheckReuse, run_known_checks};
use orch_workspace::checks;
use orch_workspace::checks::{CheckReport, CheckSubject};
use orch_workspace::run_repository::{
    branch_ref, open_repository, require_run_git, to_commit_id, to_stored_commit,
};
use orch_workspace::tracked_branch::{MOVES_MAX, TrackedBranch};

/// An attempt that is to be merged.
struct MergeCandidate {
    task: Task,
    attempt: Attempt,
    text: AttemptText,
    tree: Worktree,
    worker: Option<Worker>,
    accepted_by: Option<Slug>,
}

impl MergeCandidate {
    fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Self>, Error> {
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        let task = lookup::load_task(tx, attempt.task)?;
        let worker = match attempt.thread {
            Some(thread) => worker::load(tx, thread)?,
            None => None,
        };
        let accepted_by = find_accepting_agent(tx, &attempt)?;
        Ok(Some(Self { task, text: attempt::load_text(tx, id)?, attempt, tree, worker, accepted_by }))
    }

    /// The commit that is merged.
    fn head(&self) -> &CommitHash {
        self.tree.head.as_ref().unwrap_or(&self.tree.base)
    }

    /// Whether the attempt is still to be merged as it was loaded.
    /// It may have been recalled, cancelled, rejected or given another commit while its checks ran.
    fn is_still_wanted(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
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

    fn merge_message(&self, run: &Run) -> String {
        let message = format!("Merge {}: {}\n", self.attempt.name, self.task.title);
        let trailers = CommitTrailers {
            attempts: vec![self.attempt.name.clone()],
            profile: self.worker.as_ref().and_then(|row| row.profile.clone()),
            checks: Some(self.attempt.checks),
            accepted_by: self.accepted_by.clone(),
        };
        trailers.append_to(&message, &run.rules)
    }
}

/// Merges all attempts that may be merged.
pub(crate) fn merge_reported_attempts(
    session: &mut Session,
    lease: &EffectLease,
    merging: Option<&RecordedMerge>,
) -> Result<(), Error> {
    let merged = merge_attempts(session, lease, merging);
    if matches!(merged, Err(Error::Refused(Refusal::Tree(TreeRefusal::BranchMoved { .. })))) {
        // The run is paused; a repair of the branch comes first.
        lease.complete_alone(session)?;
    }
    merged
}

fn merge_attempts(
    session: &mut Session,
    lease: &EffectLease,
    merging: Option<&RecordedMerge>,
) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    let name = &require_run_git(&run)?.branch;
    if let Some(merge) = merging
        && let Some(tip) = repository.read_ref(&branch_ref(name)?)?
    {
        let integration =
            Integration { run: &run, lease, branch: TrackedBranch::new(&repository, name, tip)? };
        integration.recover_merge(session, merge)?;
    }
    let tip = match recorded_tip(&run) {
        Some(tip) => tip,
        None => require_checked_tip(session, run.id, &repository)?,
    };
    let mut integration =
        Integration { run: &run, lease, branch: TrackedBranch::new(&repository, name, tip)? };
    let mut unverified = None;
    clear::clear_in_background(session, |session, clear| {
        let mut seen = BTreeSet::new();
        loop {
            let candidates = next_candidates(session, &run, &seen)?;
            if candidates.is_empty() {
                return Ok(());
            }
            for candidate in candidates {
                seen.insert(candidate.attempt.id);
                match ensure_verified(session, &run, &candidate, lease.reuse)? {
                    CandidateVerification::NotPassed => {}
                    // The others are merged nevertheless.
                    CandidateVerification::Failed(error) => unverified = unverified.take().or(Some(error)),
                    CandidateVerification::Passed => {
                        if let Some((requested, merged)) = integration.merge_attempt(session, &candidate)? {
                            clear(requested, merged);
                        }
                    }
                }
            }
        }
    })?;
    lease.complete_alone(session)?;
    // Where that was the end of the run. A worktree that cannot be swept only takes up space, and stays pending.
    let _ = complete_by(session, EffectKey::of_run(EffectKind::Sweep, run.id), sweep::sweep_run);
    unverified.map_or(Ok(()), Err)
}

/// Whether attempts of the run may be merged in its present state: a run that is paused because a merge failed is tried again.
fn accepts_merges(run: &Run) -> bool {
    match &run.state {
        RunState::Open | RunState::Finished(_) => true,
        RunState::Paused(pause) => pause.reason == PauseReason::OperationFailed,
        RunState::Cancelled => false,
    }
}

/// The reported attempts that this performer has not seen, oldest first; none in a run that is paused or cancelled.
fn next_candidates(
    session: &mut Session,
    run: &Run,
    seen: &BTreeSet<AttemptId>,
) -> Result<Vec<MergeCandidate>, Error> {
    read_fresh(session, |tx, _| {
        let current = lookup::load_run(tx, run.id)?;
        if !accepts_merges(&current) {
            return Ok(Vec::new());
        }
        let state = match run.policy.done_when {
            DoneWhen::Integrated => TaskState::Reported,
            DoneWhen::Reported | DoneWhen::Verified => TaskState::Done,
        };
        let mut candidates = Vec::new();
        for id in worktree::list_unmerged_attempts(tx, run.id, state)? {
            if !seen.contains(&id) {
                candidates.extend(MergeCandidate::load(tx, id)?);
            }
        }
        Ok(candidates)
    })
}

/// Whether an attempt may be merged.
enum CandidateVerification {
    /// Its checks passed, or there are none.
    Passed,
    /// They did not, or it is no longer to be merged.
    NotPassed,
    /// Its checks could not be run, which is recorded with the operation that runs them.
    Failed(Error),
}

/// Runs the checks of an attempt that were not run yet.
fn ensure_verified(
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

/// Merges into the branch of one run.
struct Integration<'a> {
    run: &'a Run,
    lease: &'a EffectLease,
    branch: TrackedBranch<'a>,
}

/// What says that a commit may become the branch's.
enum MergeEvidence {
    /// Nothing: there are no checks, or the lead has overruled them, or the branch has the commit already.
    None,
    /// The checks passed on the attempt's commit, which is the merged one.
    OfAttempt,
    /// The checks passed on the merged commit.
    Checked(CheckReport),
}

/// A merged attempt, whose worktree may be removed, with the effect that asks for that.
type MergedAttempt = (Option<PendingEffect>, ClearingAttempt);

impl Integration<'_> {
    /// Merges one attempt, again whenever another process moves the branch; `None` where it was not merged.
    fn merge_attempt(
        &mut self,
        session: &mut Session,
        candidate: &MergeCandidate,
    ) -> Result<Option<MergedAttempt>, Error> {
        let head = to_commit_id(candidate.head())?;
        for _ in 0..MOVES_MAX {
            let repository = self.branch.repository;
            let mut evidence = MergeEvidence::None;
            let merged = match repository.commit_relation(&self.branch.tip, &head)? {
                CommitRelation::UpToDate => self.branch.tip.clone(),
                CommitRelation::FastForward => {
                    match self.fast_forward_evidence(session, candidate)? {
                        Some(found) => evidence = found,
                        None => return Ok(None),
                    }
                    head.clone()
                }
                CommitRelation::Diverged => match repository.merge_trees(&self.branch.tip, &head)? {
                    MergeOutcome::Conflict(conflict) => {
                        self.reject_conflict(session, candidate, &conflict)?;
                        return Ok(None);
                    }
                    MergeOutcome::Merged { tree } => {
                        let parents = [self.branch.tip.clone(), head.clone()];
                        let merged = repository.write_merge_commit(
                            &tree,
                            &parents,
                            &self.merge_message(candidate)?,
                        )?;
                        match self.check_merged_tree(session, candidate, &merged)? {
                            Some(passed) => evidence = MergeEvidence::Checked(passed),
                            None => return Ok(None),
                        }
                        merged
                    }
                },
            };
            if !self.record_intent(session, candidate, &merged, &evidence)? {
                return Ok(None);
            }
            if merged != self.branch.tip {
                match self.branch.advance(&merged) {
                    Ok(()) => {
                        self.branch.tip = merged.clone();
                        if self.run.rules.run_hooks {
                            repository.run_post_merge_hook()?;
                        }
                    }
                    Err(GitError::RefMoved { .. }) => {
                        self.branch.tip = require_checked_tip(session, self.run.id, repository)?;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            repository.flush()?;
            return self.record_merge(session, candidate, &merged).map(Some);
        }
        let tree = self.branch.name.to_string();
        let problem = TreeProblem::BranchTaken { branch: tree.clone() };
        Err(TreeRefusal::WorktreeConflict { tree, problem }.into())
    }

    /// The message of a merge commit, as the user's hooks leave it where the run wants them.
    fn merge_message(&self, candidate: &MergeCandidate) -> Result<String, Error> {
        let message = candidate.merge_message(self.run);
        match self.run.rules.run_hooks {
            true => Ok(self.branch.repository.run_merge_hooks(&message)?),
            false => Ok(message),
        }
    }

    /// Returns the evidence for an attempt whose commit becomes the branch's: its checks passed on that commit, and run
    /// again only where new results were asked for; `None` where they did not pass then, which is recorded.
    fn fast_forward_evidence(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
    ) -> Result<Option<MergeEvidence>, Error> {
        match (candidate.attempt.checks, self.lease.reuse) {
            (ChecksStatus::None | ChecksStatus::Overridden, _) => Ok(Some(MergeEvidence::None)),
            (ChecksStatus::Pending | ChecksStatus::Passed | ChecksStatus::Failed, CheckReuse::Known) => {
                Ok(Some(MergeEvidence::OfAttempt))
            }
            (ChecksStatus::Pending | ChecksStatus::Passed | ChecksStatus::Failed, CheckReuse::Since(_)) => {
                let head = to_commit_id(candidate.head())?;
                Ok(self.check_merged_tree(session, candidate, &head)?.map(MergeEvidence::Checked))
            }
        }
    }

    /// Runs the attempt's checks on the merged tree; `None` where they did not pass, which is recorded.
    fn check_merged_tree(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
        merged: &CommitId,
    ) -> Result<Option<CheckReport>, Error> {
        let MergeCandidate { attempt, text, tree, .. } = candidate;
        let specs = checks::check_specs(&text.run_verify, &text.task_verify);
        if specs.is_empty() || attempt.checks == ChecksStatus::Overridden {
            return Ok(Some(CheckReport::default()));
        }
        let merged = to_stored_commit(merged);
        let subject = CheckSubject {
            run: self.run,
            attempt: Some((attempt.id, &attempt.name)),
            slot: tree.slot,
            stage: CheckStage::Merge,
            commit: &merged,
        };
        let report = run_known_checks(session, &subject, &specs, self.lease.reuse)?;
        let (verdict, summary) = (report.verdict(), report.failure_summary(self.run));
        if verdict == ChecksVerdict::Good {
            return Ok(Some(report));
        }
        tool_transaction(session, |unit| {
            record_merge_checks(unit.tx, candidate, &report)?;
            match verdict {
                ChecksVerdict::Good => Ok(()),
                ChecksVerdict::Unknown => match reload_reported(unit, candidate)? {
                    Some(reported) => reported.record_fault(unit, &summary),
                    None => record_tool_fault(unit, self.run.id, attempt.event_subject(), &summary),
                },
                ChecksVerdict::Bad => {
                    let reason = format!(
                        "Its checks pass alone, and fail after the merge with the run's branch: {summary}"
                    );
                    let rejection = MergeRejection {
                        checks: Some(ChecksStatus::Failed),
                        reason: &reason,
                        tail: report.tail.as_deref(),
                        data: Vec::new(),
                    };
                    rejection.apply(unit, candidate)
                }
            }
        })?;
        Ok(None)
    }

    fn reject_conflict(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
        conflict: &MergeConflict,
    ) -> Result<(), Error> {
        let files: Vec<String> = conflict.files.iter().map(|path| escape::path_text(path)).collect();
        let reason = format!(
            "Merge conflict in {} with {} (now at {}). The attempt's commits are on {}; begin again from the run's branch.",
            escape::join_names(files.iter().map(String::as_str)),
            require_run_git(self.run)?.branch,
            conflict.ours,
            candidate.tree.branch
        );
        let tail = conflict.messages.join("\n");
        tool_transaction(session, |unit| {
            let data =
                vec![("conflict", files.clone().into()), ("commit", candidate.head().to_string().into())];
            MergeRejection { checks: None, reason: &reason, tail: Some(&tail), data }.apply(unit, candidate)
        })
    }

    /// Records the commit that the branch is about to move to, with the checks that its tree passed.
    /// `false` where the attempt must not be merged.
    fn record_intent(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
        merged: &CommitId,
        evidence: &MergeEvidence,
    ) -> Result<bool, Error> {
        let merging = RecordedMerge { attempt: candidate.attempt.id, commit: to_stored_commit(merged) };
        let effect = Effect::IntegrateRun { merging: Some(merging) };
        session.write(WriteDurability::Power, |tx, _| {
            if !candidate.is_still_wanted(tx)? || !accepts_merges(&lookup::load_run(tx, self.run.id)?) {
                return Ok(TxEnd::Rollback(false));
            }
            match evidence {
                MergeEvidence::Checked(report) => record_merge_checks(tx, candidate, report)?,
                MergeEvidence::OfAttempt => check_run::take_over_attempt_checks(tx, candidate.attempt.id)?,
                MergeEvidence::None => {}
            }
            self.lease.record_progress(tx, &effect)?;
            Ok(TxEnd::Commit(true))
        })
    }

    /// Records that the branch has the attempt: the attempt is accepted, and its worktree may be removed.
    fn record_merge(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
        merged: &CommitId,
    ) -> Result<MergedAttempt, Error> {
        let id = candidate.attempt.id;
        tool_transaction(session, |unit| {
            let tree = worktree::load(unit.tx, id)?.ok_or_else(|| lookup::missing_row("worktree", id.0))?;
            let merged_commit = to_stored_commit(merged);
            let current = unit.load_run(self.run.id)?.clone();
            unit.replace_run(leave_branch_at(&current, &merged_commit));
            let tree =
                Worktree { merged: Some(merged_commit), fell_off: false, updated_at: unit.now, ..tree };
            worktree::save(unit.tx, &tree)?;
            let data =
                vec![("commit", merged.as_str().into()), ("head", candidate.head().to_string().into())];
            unit.append_event(EventKind::Integrated, candidate.attempt.event_subject(), None, data)?;
            let clear = Effect::ClearWorktree { attempt: id, mode: ClearingMode::Park };
            let requested = request_effect(unit.tx, self.run.id, &clear, unit.now)?;
            let mut attempt = candidate.attempt.clone();
            if let Some(reported) = reload_reported(unit, candidate)? {
                attempt = reported.attempt.clone();
                reported.accept(unit, "it is on the run's branch")?;
            }
            // A worker that has ended meanwhile has no process.
            let worker = candidate.worker.clone().filter(|row| row.end.is_none());
            let run = unit.load_run(self.run.id)?.clone();
            Ok((requested, ClearingAttempt { run, attempt, tree, worker }))
        })
    }

    /// Finishes a merge that was recorded before an interruption: the branch has the commit, or it has not.
    fn recover_merge(&self, session: &mut Session, merge: &RecordedMerge) -> Result<(), Error> {
        let Ok(merged) = to_commit_id(&merge.commit) else { return Ok(()) };
        if !self.branch.repository.is_ancestor(&merged, &self.branch.tip).unwrap_or(false) {
            // The files of a checkout may have moved before the branch.
            if to_stored_commit(&self.branch.tip) == require_run_git(self.run)?.tip {
                self.branch.undo_step(&self.branch.tip, &merged)?;
            }
            return Ok(());
        }
        let candidate = session.read(|tx, _| MergeCandidate::load(tx, merge.attempt))?;
        match candidate.filter(|candidate| candidate.tree.merged.is_none()) {
            Some(candidate) => {
                self.branch.repository.flush()?;
                self.record_merge(session, &candidate, &merged).map(|_| ())
            }
            // The attempt was ended meanwhile; that the branch has its commit was our doing all the same.
            None => tool_transaction(session, |unit| {
                let current = unit.load_run(self.run.id)?.clone();
                unit.replace_run(leave_branch_at(&current, &merge.commit));
                Ok(())
            }),
        }
    }
}

/// Records the results of the checks on the merged tree.
fn record_merge_checks(
    tx: &mut Transaction<'_>,
    candidate: &MergeCandidate,
    report: &CheckReport,
) -> Result<(), Error> {
    if report.checks.is_empty() {
        return Ok(());
    }
    check_run::clear_attempt(tx, candidate.attempt.id, CheckStage::Merge)?;
    report.save(tx)
}

/// The reported attempt as it is now; `None` when it was ended or judged meanwhile, or its task is done already.
fn reload_reported(
    unit: &mut UnitOfWork<'_, '_>,
    candidate: &MergeCandidate,
) -> Result<Option<ReportedAttempt>, Error> {
    let task = lookup::load_task(unit.tx, candidate.task.id)?;
    let is_last = task.attempt.is_some_and(|last| last.id == candidate.attempt.id);
    if is_last && task.state == TaskState::Reported {
        ReportedAttempt::load(unit, task).map(Some)
    } else {
        Ok(None)
    }
}

/// Why an attempt cannot be merged.
struct MergeRejection<'a> {
    checks: Option<ChecksStatus>,
    reason: &'a str,
    tail: Option<&'a str>,
    data: Vec<(&'static str, EventDatum)>,
}

impl MergeRejection<'_> {
    /// Rejects the attempt.
    /// One whose task is done already stays accepted; that it is not on the run's branch is recorded as a fault.
    fn apply(self, unit: &mut UnitOfWork<'_, '_>, candidate: &MergeCandidate) -> Result<(), Error> {
        if let Some(mut reported) = reload_reported(unit, candidate)? {
            if let Some(checks) = self.checks {
                reported.record_checks(unit, checks)?;
            }
            return reported.reject(unit, self.reason, self.tail, self.data).map(|_| ());
        }
        if !candidate.is_still_wanted(unit.tx)? {
            return Ok(());
        }
        let data = [vec![("reason", self.reason.into())], self.data].concat();
        unit.append_event(EventKind::Fault, candidate.attempt.event_subject(), None, data)
    }
}
