//! Merging verified attempts into the run's branch, one after the other.
//!
//! The candidate commit is created without touching a checkout, checked where its tree was not checked already, and recorded; only then does the branch move, from exactly where it was seen.
//! After an interruption the next performer finds the recorded merge, and whether the branch has moved.

use std::collections::{BTreeSet, VecDeque};

use orch_core::check::{CheckStage, ChecksVerdict};
use orch_core::effect::{ClearingMode, Effect, EffectKey, EffectKind, PendingEffect, RecordedMerge};
use orch_core::escape;
use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{AttemptId, CommitHash};
use orch_core::refusal::{Refusal, TreeProblem, TreeRefusal};
use orch_core::run::branch::{adopt_base, leave_branch_at};
use orch_core::run::{DoneWhen, ReviewPolicy, Run};
use orch_core::task::{ChecksStatus, TaskConflict, TaskState};
use orch_core::worktree::Worktree;
use orch_store::driver::WriteDurability;
use orch_store::table::{check_run, worktree};
use orch_store::{Transaction, TxEnd};

use crate::fresh_read::read_fresh;
use crate::judge::ReportedAttempt;
use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::ahead::{AheadCheck, ChecksAhead};
use crate::perform::candidate::{CandidateVerification, MergeCandidate, accepts_merges, ensure_verified};
use crate::perform::clear;
use crate::perform::clear::ClearingAttempt;
use crate::perform::effect_lease::{EffectLease, complete_by, request_effect};
use crate::perform::{sweep, sync};
use crate::run_branch::{recorded_tip, require_checked_tip};
use crate::tool_fault::record_tool_fault;
use crate::unit_of_work::UnitOfWork;
use crate::{resolve, review};
use orch_git::{CommitId, CommitRelation, GitError, MergeConflict, MergeOutcome};
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::{CheckReuse, run_known_checks};
use orch_workspace::checks::CheckReport;
use orch_workspace::run_repository::{
    branch_ref, open_repository, require_run_git, to_commit_id, to_stored_commit,
};
use orch_workspace::tracked_branch::{MOVES_MAX, TrackedBranch};

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
    clear::clear_in_background(session, &repository, |session, clear| {
        std::thread::scope(|scope| {
            let mut ahead = ChecksAhead::new(scope, &run, lease.checks);
            let mut seen = BTreeSet::new();
            loop {
                let mut candidates = VecDeque::from(next_candidates(session, &run, &seen)?);
                if candidates.is_empty() {
                    return Ok(());
                }
                while let Some(mut candidate) = candidates.pop_front() {
                    seen.insert(candidate.attempt.id);
                    let begun = ahead.take(candidate.attempt.id);
                    ahead.begin_next(session, &integration.branch, &candidate, &candidates);
                    let (verification, expected) = match begun.and_then(AheadCheck::join) {
                        Some(found) => (found.verification?, found.report),
                        None => (ensure_verified(session, &run, &candidate, lease.checks.reuse)?, None),
                    };
                    let merged = match verification {
                        CandidateVerification::Passed => {
                            candidate.set_verified();
                            integration.merge_reviewed(session, &candidate, expected)?
                        }
                        CandidateVerification::NotPassed => None,
                        CandidateVerification::Failed(error) => {
                            // The others are merged nevertheless.
                            unverified = unverified.take().or(Some(error));
                            None
                        }
                    };
                    match merged {
                        Some((requested, merged)) => {
                            // It is on the branch now.
                            candidate.resolved_attempt().map(|resolved| seen.remove(&resolved));
                            clear(requested, merged);
                        }
                        // What is checked ahead expected another branch.
                        None => ahead.stop_all(),
                    }
                }
            }
        })
    })?;
    lease.complete_alone(session)?;
    // Where that was the end of the run. A worktree that cannot be swept only takes up space, and stays pending.
    let _ = complete_by(session, EffectKey::of_run(EffectKind::Sweep, run.id), sweep::sweep_run);
    unverified.map_or(Ok(()), Err)
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

/// Whether a merge was recorded before the branch moves.
enum RecordedIntent {
    /// It is recorded.
    Recorded,
    /// The attempt must not be merged.
    Unwanted,
    /// A synchronization is moving the branch.
    BranchMoves,
}

/// A merged attempt, whose worktree may be removed, with the effect that asks for that.
type MergedAttempt = (Option<PendingEffect>, ClearingAttempt);

impl Integration<'_> {
    /// Merges one attempt, again whenever another process moves the branch; `None` where it was not merged.
    /// `expected` is what its checks found on the merge that was expected.
    fn merge_attempt(
        &mut self,
        session: &mut Session,
        candidate: &MergeCandidate,
        mut expected: Option<CheckReport>,
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
                        match self.check_merged_tree(session, candidate, &merged, expected.take())? {
                            Some(passed) => evidence = MergeEvidence::Checked(passed),
                            None => return Ok(None),
                        }
                        merged
                    }
                },
            };
            match self.record_intent(session, candidate, &merged, &evidence)? {
                RecordedIntent::Recorded => {}
                RecordedIntent::Unwanted => return Ok(None),
                RecordedIntent::BranchMoves => {
                    self.finish_sync(session)?;
                    continue;
                }
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

    /// Merges one attempt, unless it waits for a review.
    fn merge_reviewed(
        &mut self,
        session: &mut Session,
        candidate: &MergeCandidate,
        expected: Option<CheckReport>,
    ) -> Result<Option<MergedAttempt>, Error> {
        match self.waits_for_review(session, candidate)? {
            true => Ok(None),
            false => self.merge_attempt(session, candidate, expected),
        }
    }

    /// Whether a person must review the attempt before it is merged, which is recorded.
    fn waits_for_review(&self, session: &mut Session, candidate: &MergeCandidate) -> Result<bool, Error> {
        let policy = candidate.review.unwrap_or(self.run.rules.review);
        if policy == ReviewPolicy::None || candidate.task.state != TaskState::Reported {
            return Ok(false);
        }
        tool_transaction(session, |unit| review::waits_for_review(unit, &candidate.attempt, false))
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
        match (candidate.attempt.checks, self.lease.checks.reuse) {
            (ChecksStatus::None | ChecksStatus::Overridden, _) => Ok(Some(MergeEvidence::None)),
            (ChecksStatus::Pending | ChecksStatus::Passed | ChecksStatus::Failed, CheckReuse::Known) => {
                Ok(Some(MergeEvidence::OfAttempt))
            }
            (ChecksStatus::Pending | ChecksStatus::Passed | ChecksStatus::Failed, CheckReuse::Since(_)) => {
                let head = to_commit_id(candidate.head())?;
                Ok(self.check_merged_tree(session, candidate, &head, None)?.map(MergeEvidence::Checked))
            }
        }
    }

    /// Runs the attempt's checks on the merged tree; `None` where they did not pass, which is recorded.
    fn check_merged_tree(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
        merged: &CommitId,
        expected: Option<CheckReport>,
    ) -> Result<Option<CheckReport>, Error> {
        let attempt = &candidate.attempt;
        let specs = candidate.check_specs();
        if specs.is_empty() {
            return Ok(Some(CheckReport::default()));
        }
        let merged_commit = to_stored_commit(merged);
        let tree = self.branch.repository.tree_of_commit(merged)?.to_string();
        let is_expected = |report: &CheckReport| report.is_about(&tree);
        let report = match expected.filter(is_expected) {
            Some(report) => report.at_commit(&merged_commit),
            None => {
                let subject = candidate.merge_subject(self.run, &merged_commit);
                run_known_checks(session, &subject, &specs, self.lease.checks.reuse)?
            }
        };
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
        let branch = &candidate.tree.branch;
        let reason = format!(
            "Merge conflict in {} with {} (now at {}). The next attempt begins from that branch: `orch dispatch {}`. \
             The commits of this one stay on {branch}; in the next worktree `git merge {branch}` takes them over, \
             with the conflicts to resolve. `orch integrate {} --resolve` makes a task of the next conflict.",
            escape::join_names(files.iter().map(String::as_str)),
            require_run_git(self.run)?.branch,
            conflict.ours,
            candidate.task.name,
            self.run.name,
        );
        let tail = conflict.messages.join("\n");
        tool_transaction(session, |unit| {
            // It waits for the task that resolves the conflict.
            if resolve::find_resolving_task(unit.tx, self.run.id, candidate.attempt.id)?.is_some() {
                return Ok(());
            }
            let data =
                vec![("conflict", files.clone().into()), ("commit", candidate.head().to_string().into())];
            MergeRejection { checks: None, reason: &reason, tail: Some(&tail), data }.apply(unit, candidate)
        })
    }

    /// Records the commit that the branch is about to move to, with the checks that its tree passed.
    fn record_intent(
        &self,
        session: &mut Session,
        candidate: &MergeCandidate,
        merged: &CommitId,
        evidence: &MergeEvidence,
    ) -> Result<RecordedIntent, Error> {
        let merging = RecordedMerge { attempt: candidate.attempt.id, commit: to_stored_commit(merged) };
        let effect = Effect::IntegrateRun { merging: Some(merging) };
        session.write(WriteDurability::Power, |tx, _| {
            if !candidate.is_still_wanted(tx)? || !accepts_merges(&lookup::load_run(tx, self.run.id)?) {
                return Ok(TxEnd::Rollback(RecordedIntent::Unwanted));
            }
            if sync::is_moving_branch(tx, self.run.id)? {
                return Ok(TxEnd::Rollback(RecordedIntent::BranchMoves));
            }
            match evidence {
                MergeEvidence::Checked(report) => record_merge_checks(tx, candidate, report)?,
                MergeEvidence::OfAttempt => check_run::take_over_attempt_checks(tx, candidate.attempt.id)?,
                MergeEvidence::None => {}
            }
            self.lease.record_progress(tx, &effect)?;
            Ok(TxEnd::Commit(RecordedIntent::Recorded))
        })
    }

    /// Waits for the synchronization that moves the branch, or finishes what it has left.
    fn finish_sync(&mut self, session: &mut Session) -> Result<(), Error> {
        // Its own error is reported to the command that requested it.
        if let Err(error @ Error::Store(_)) =
            complete_by(session, sync::sync_key(self.run.id), sync::perform_recorded)
        {
            return Err(error);
        }
        self.branch.tip = require_checked_tip(session, self.run.id, self.branch.repository)?;
        Ok(())
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
            if let Some(conflict) = candidate.conflict.as_ref().filter(|conflict| conflict.is_base) {
                self.record_resolved_base(unit, candidate, conflict, &merged_commit)?;
            }
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
            let worker = candidate.worker.clone();
            let run = unit.load_run(self.run.id)?.clone();
            Ok((requested, ClearingAttempt { run, attempt, tree, worker }))
        })
    }

    /// Records that the branch has the run's base branch, whose conflict the attempt has resolved.
    fn record_resolved_base(
        &self,
        unit: &mut UnitOfWork<'_, '_>,
        candidate: &MergeCandidate,
        conflict: &TaskConflict,
        merged: &CommitHash,
    ) -> Result<(), Error> {
        let checked = candidate.attempt.checks == ChecksStatus::Passed && !self.run.rules.verify.is_empty();
        let current = unit.load_run(self.run.id)?.clone();
        unit.replace_run(adopt_base(&current, &conflict.commit, checked));
        let data = vec![
            ("branch", require_run_git(self.run)?.branch.as_str().into()),
            ("with", conflict.from.as_str().into()),
            ("base", conflict.commit.as_str().into()),
            ("commit", merged.as_str().into()),
        ];
        unit.append_event(EventKind::Synced, candidate.attempt.event_subject(), None, data)
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
