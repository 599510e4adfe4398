//! Checks of the merges that come next, on other threads while one attempt is checked and merged.
//!
//! The merge of the next attempt is expected to begin where the branch will be once those before it are merged.
//! What its checks find on the tree of that merge is true of the tree whatever happens to the attempts before.
//! The attempt is merged in its turn: by that result if the merged tree is the expected one, else after new checks.

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::fd::AsFd as _;
use std::thread::{Scope, ScopedJoinHandle};

use orch_core::check::{CheckIdentity, ChecksVerdict};
use orch_core::id::AttemptId;
use orch_core::run::{DoneWhen, Run};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;

use crate::perform::candidate::{CandidateVerification, MergeCandidate, ensure_verified};
use crate::perform::check_settings::CheckSettings;
use orch_git::{CommitId, CommitRelation, MergeAllOutcome, Repository};
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::{CheckReuse, run_known_checks};
use orch_workspace::checks::{CheckReport, CheckSubject};
use orch_workspace::run_repository::{open_repository, to_commit_id, to_stored_commit};
use orch_workspace::tracked_branch::TrackedBranch;

/// The message of commits that exist only to be checked.
const MESSAGE: &str = "The merge that is expected next\n";

/// The checks that run ahead.
pub(super) struct ChecksAhead<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    run: &'env Run,
    reuse: CheckReuse,
    /// How many of them run at once, beside the one of the attempt whose turn it is.
    limit: usize,
    running: Vec<AheadCheck<'scope>>,
}

/// The checks of one attempt that run ahead.
pub(super) struct AheadCheck<'scope> {
    attempt: AttemptId,
    /// Stops the check of the merge when it is written to.
    stop: PipeWriter,
    thread: ScopedJoinHandle<'scope, AheadOutcome>,
}

/// What the checks of an attempt have found ahead of its turn.
pub(super) struct AheadOutcome {
    /// Whether the attempt may be merged; recorded already.
    pub verification: Result<CandidateVerification, Error>,
    /// What was found on the merge that was expected.
    pub report: Option<CheckReport>,
}

impl AheadCheck<'_> {
    /// Waits for the outcome; `None` where the thread has failed.
    pub(super) fn join(self) -> Option<AheadOutcome> {
        self.thread.join().ok()
    }

    fn stop(&mut self) {
        // A thread that has ended reads no more.
        let _ = self.stop.write_all(b"s");
    }
}

impl<'scope, 'env> ChecksAhead<'scope, 'env> {
    /// Creates the place for checks that run ahead.
    /// None do where a result counts for one commit alone, or where the slots of two attempts may be equal.
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, run: &'env Run, checks: CheckSettings) -> Self {
        let is_apt =
            run.rules.checks.by == CheckIdentity::Tree && run.policy.done_when == DoneWhen::Integrated;
        let limit = if is_apt { checks.merge_jobs.saturating_sub(1) } else { 0 };
        Self { scope, run, reuse: checks.reuse, limit, running: Vec::new() }
    }

    /// Removes and returns the checks of an attempt whose turn it is.
    pub(super) fn take(&mut self, attempt: AttemptId) -> Option<AheadCheck<'scope>> {
        let index = self.running.iter().position(|check| check.attempt == attempt)?;
        Some(self.running.remove(index))
    }

    /// Begins the checks of the attempts that come after this one, as many as may run.
    ///
    /// Where that fails they run in their turn.
    pub(super) fn begin_next(
        &mut self,
        session: &Session,
        branch: &TrackedBranch<'_>,
        current: &MergeCandidate,
        next: &VecDeque<MergeCandidate>,
    ) {
        let next: Vec<&MergeCandidate> = next.iter().take(self.limit).collect();
        let is_begun = |candidate: &MergeCandidate| {
            self.running.iter().any(|check| check.attempt == candidate.attempt.id)
        };
        if next.iter().all(|candidate| candidate.check_specs().is_empty() || is_begun(candidate)) {
            return;
        }
        let mut expected = expect_merge(branch.repository, branch.tip.clone(), current);
        for candidate in next {
            let is_running = self.running.iter().any(|check| check.attempt == candidate.attempt.id);
            if !is_running && !candidate.check_specs().is_empty() {
                self.begin(session, candidate, expected.clone());
            }
            expected = expect_merge(branch.repository, expected, candidate);
        }
    }

    /// Begins the checks of an attempt whose merge is expected to begin at this commit.
    fn begin(&mut self, session: &Session, candidate: &MergeCandidate, base: CommitId) {
        let (Ok(mut session), Ok((stopped, stop))) = (session.open_connection(), std::io::pipe()) else {
            return;
        };
        let (run, reuse, candidate) = (self.run, self.reuse, candidate.clone());
        let attempt = candidate.attempt.id;
        let thread = self.scope.spawn(move || {
            let verification = ensure_verified(&mut session, run, &candidate, reuse);
            let report = match verification {
                Ok(CandidateVerification::Passed) => {
                    check_expected_merge(&mut session, run, &candidate, &base, (reuse, &stopped))
                        .ok()
                        .flatten()
                }
                _ => None,
            };
            AheadOutcome { verification, report }
        });
        self.running.push(AheadCheck { attempt, stop, thread });
    }

    /// Stops the checks of merges that are no longer expected.
    pub(super) fn stop_all(&mut self) {
        self.running.iter_mut().for_each(AheadCheck::stop);
    }
}

impl Drop for ChecksAhead<'_, '_> {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// Returns where the branch is expected to be once the attempt is merged; a conflict leaves it where it is.
fn expect_merge(repository: &Repository, tip: CommitId, candidate: &MergeCandidate) -> CommitId {
    let Ok(head) = to_commit_id(candidate.head()) else { return tip };
    match repository.merge_all_commits(&[tip.clone(), head], MESSAGE) {
        Ok(MergeAllOutcome::Merged(merged)) => merged,
        Ok(MergeAllOutcome::Conflict(_)) | Err(_) => tip,
    }
}

/// Runs the attempt's checks on the merge that is expected, and makes their results known.
/// `None` where there is nothing to merge, or no verdict.
fn check_expected_merge(
    session: &mut Session,
    run: &Run,
    candidate: &MergeCandidate,
    base: &CommitId,
    (reuse, stopped): (CheckReuse, &PipeReader),
) -> Result<Option<CheckReport>, Error> {
    let repository = open_repository(session, run)?;
    let head = to_commit_id(candidate.head())?;
    if repository.commit_relation(base, &head)? != CommitRelation::Diverged {
        return Ok(None);
    }
    let merge = repository.merge_all_commits(&[base.clone(), head], MESSAGE)?;
    let MergeAllOutcome::Merged(merged) = merge else { return Ok(None) };
    let merged = to_stored_commit(&merged);
    let subject = CheckSubject { stop: Some(stopped.as_fd()), ..candidate.merge_subject(run, &merged) };
    let report = run_known_checks(session, &subject, &candidate.check_specs(), reuse)?;
    if report.verdict() == ChecksVerdict::Unknown {
        return Ok(None);
    }
    session.write(WriteDurability::Power, |tx, _| report.save_results(tx).map(TxEnd::Commit))?;
    Ok(Some(report))
}
