//! Merging what was reported and found good into the run's branch, one attempt after the other.
//!
//! The candidate is made without touching a checkout, checked where it is not what was checked already, written down,
//! and only then does the branch move, from exactly where it was seen. Cut off in between, the next performer finds
//! what was written down, and whether the branch has moved.

use std::collections::BTreeSet;
use std::path::PathBuf;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckStage, ChecksVerdict};
use orch_core::effect::EffectKind;
use orch_core::escape;
use orch_core::event::{EventDatum, EventKind, EventSubject};
use orch_core::id::{AttemptId, CommitHash};
use orch_core::refusal::{Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{DoneWhen, Run, RunStatus};
use orch_core::task::{ChecksStatus, Task, TaskState};
use orch_core::worktree::Worktree;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, check_run, task as task_table, worktree};
use orch_store::{Transaction, TxEnd};
use serde_json::json;

use super::checks::{self, CheckSubject};
use super::effect_lease::{self, EffectLease};
use super::verify::{complete_verification, record_tool_fault};
use super::{
    branch_ref, clear, complete_effect, load_run, open_repository, require_run_git, to_commit_id,
    to_stored_commit, tool_transaction,
};
use crate::judge::ReportedAttempt;
use crate::lookup;
use crate::unit_of_work::UnitOfWork;
use orch_git::{CommitId, CommitRelation, GitError, MergeConflict, MergeOutcome, RefName, Repository};
use orch_inbox::{Error, Session};

/// How often a merge is tried again because somebody else moved the run's branch.
pub(super) const MOVES_MAX: u32 = 20;

/// An attempt that is to be merged.
struct MergeCandidate {
    task: Task,
    attempt: Attempt,
    text: AttemptText,
    tree: Worktree,
}

impl MergeCandidate {
    fn event_subject(&self) -> EventSubject {
        EventSubject {
            run: Some(self.task.run),
            task: Some(self.task.id),
            attempt: Some(self.attempt.id),
            thread: self.attempt.thread,
        }
    }

    /// The commit that is merged.
    fn commit_to_merge(&self) -> &CommitHash {
        self.tree.head.as_ref().unwrap_or(&self.tree.base)
    }
}

/// A branch, as far as this process has moved it.
pub(super) struct TrackedBranch<'r> {
    pub(super) repository: &'r Repository,
    pub(super) name: RefName,
    pub(super) tip: CommitId,
    /// The worktree that has it checked out, which must move with it.
    pub(super) checkout: Option<PathBuf>,
}

/// Merges everything that is ready to be merged.
pub(crate) fn merge_reported_attempts(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| load_run(tx, taken.effect.run))?;
    let repository = open_repository(session, &run)?;
    let name = branch_ref(&require_run_git(&run)?.branch)?;
    let tip = repository
        .read_ref(&name)?
        .ok_or_else(|| Error::from(TreeRefusal::BaseNotFound { revision: Some(name.to_string()) }))?;
    let checkout = repository.find_worktree_on_branch(&name)?.map(|entry| entry.path);
    let mut branch = TrackedBranch { repository: &repository, name, tip, checkout };
    recover_interrupted_merge(session, taken, &branch)?;
    clear::clear_in_background(session, run.id, |session, merged| {
        let mut passed_over = BTreeSet::new();
        while let Some(candidate) = next_candidate(session, &run, &passed_over)? {
            passed_over.insert(candidate.attempt.id);
            if ensure_verified(session, &run, &candidate)?
                && merge_attempt(session, taken, &run, &candidate, &mut branch)?
            {
                merged(candidate.attempt.id);
            }
        }
        Ok(())
    })?;
    tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()))?;
    // Where that was the end of the run. What cannot be swept costs room and nothing else, and is tried again.
    let _ = complete_effect(session, EffectKind::Sweep, run.id, None);
    Ok(())
}

/// The oldest reported attempt that this performer has not looked at.
fn next_candidate(
    session: &mut Session,
    run: &Run,
    passed_over: &BTreeSet<AttemptId>,
) -> Result<Option<MergeCandidate>, Error> {
    tool_transaction(session, |stage| {
        let current = stage.load_run(run.id)?;
        if matches!(current.state.status(), RunStatus::Paused | RunStatus::Cancelled) {
            return Ok(None);
        }
        let state = match run.policy.done_when {
            DoneWhen::Integrated => TaskState::Reported,
            DoneWhen::Reported | DoneWhen::Verified => TaskState::Done,
        };
        for id in worktree::list_unmerged_tasks(stage.tx, run.id, state)? {
            let task = task_table::load(stage.tx, id)?;
            let last = task.and_then(|task| task.attempt).filter(|last| !passed_over.contains(&last.id));
            if let Some(last) = last {
                return load_candidate(stage.tx, last.id);
            }
        }
        Ok(None)
    })
}

/// Runs the checks that have yet to run; says whether the attempt may be merged.
fn ensure_verified(session: &mut Session, run: &Run, candidate: &MergeCandidate) -> Result<bool, Error> {
    let has_nothing = candidate.attempt.checks == ChecksStatus::None && run.rules.protect.is_empty();
    if has_nothing
        || matches!(candidate.attempt.checks, ChecksStatus::Passed | ChecksStatus::Overridden)
        || candidate.task.state == TaskState::Done
    {
        return Ok(true);
    }
    let id = candidate.attempt.id;
    let asked = session.write(WriteDurability::Power, |tx, now| {
        let state = attempt::load(tx, id)?.map(|attempt| attempt.state);
        if state != Some(AttemptState::Reported) {
            return Ok(TxEnd::Rollback(false));
        }
        effect_lease::request_effect(tx, EffectKind::Verify, run.id, Some(id), now)?;
        Ok(TxEnd::Commit(true))
    })?;
    if !asked {
        return Ok(false);
    }
    match complete_verification(session, run.id, id) {
        Ok(()) => Ok(true),
        // Recorded already, as a rejection or as a fault.
        Err(Error::Refused(Refusal::Tree(TreeRefusal::ChecksFailed { .. }))) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Merges one attempt, again and again while somebody else moves the branch.
fn merge_attempt(
    session: &mut Session,
    taken: &EffectLease,
    run: &Run,
    candidate: &MergeCandidate,
    branch: &mut TrackedBranch<'_>,
) -> Result<bool, Error> {
    let head = to_commit_id(candidate.commit_to_merge())?;
    for _ in 0..MOVES_MAX {
        let merged = match branch.repository.commit_relation(&branch.tip, &head)? {
            CommitRelation::UpToDate => {
                let is_ours = record_merge_intent(session, taken, candidate, &branch.tip)?;
                if is_ours {
                    record_merge(session, taken, candidate, &branch.tip)?;
                }
                return Ok(is_ours);
            }
            CommitRelation::FastForward => head.clone(),
            CommitRelation::Diverged => match branch.repository.merge_trees(&branch.tip, &head)? {
                MergeOutcome::Conflict(conflict) => {
                    reject_conflict(session, run, candidate, &conflict)?;
                    return Ok(false);
                }
                MergeOutcome::Merged { tree } => {
                    let parents = [branch.tip.clone(), head.clone()];
                    branch.repository.write_merge_commit(&tree, &parents, &merge_message(candidate))?
                }
            },
        };
        if merged != head && !check_merged_tree(session, run, candidate, &merged)? {
            return Ok(false);
        }
        if !record_merge_intent(session, taken, candidate, &merged)? {
            return Ok(false);
        }
        match advance_branch(branch, &merged) {
            Ok(()) => {
                branch.tip = merged;
                record_merge(session, taken, candidate, &branch.tip)?;
                return Ok(true);
            }
            Err(GitError::RefMoved { found: Some(found), .. }) => branch.tip = found,
            Err(error) => return Err(error.into()),
        }
    }
    let problem = TreeProblem::BranchTaken { branch: branch.name.to_string() };
    Err(TreeRefusal::WorktreeConflict { tree: branch.name.to_string(), problem }.into())
}

fn merge_message(candidate: &MergeCandidate) -> String {
    format!("Merge {}: {}\n", candidate.attempt.name, candidate.task.title)
}

/// Moves the branch from where it was seen; where it is checked out its files move along.
pub(super) fn advance_branch(branch: &TrackedBranch<'_>, to: &CommitId) -> Result<(), GitError> {
    let Some(path) = &branch.checkout else {
        return branch.repository.compare_and_swap(&branch.name, to, &branch.tip);
    };
    let Err(error) = branch.repository.open_worktree(path)?.fast_forward(to) else { return Ok(()) };
    // Whoever has it checked out may have committed meanwhile.
    let found = branch.repository.read_ref(&branch.name)?;
    if found.as_ref() == Some(&branch.tip) {
        return Err(error);
    }
    Err(GitError::RefMoved { reference: branch.name.clone(), expected: branch.tip.clone(), found })
}

/// Runs the attempt's checks on the merged tree; what they say is recorded where it is not good.
fn check_merged_tree(
    session: &mut Session,
    run: &Run,
    candidate: &MergeCandidate,
    merged: &CommitId,
) -> Result<bool, Error> {
    let orders = checks::check_specs(&candidate.text.run_verify, &candidate.text.task_verify);
    if orders.is_empty() || candidate.attempt.checks == ChecksStatus::Overridden {
        return Ok(true);
    }
    let merged = to_stored_commit(merged);
    let subject = CheckSubject {
        run,
        attempt: Some((candidate.attempt.id, &candidate.attempt.name)),
        slot: candidate.tree.slot,
        stage: CheckStage::Merge,
        commit: &merged,
    };
    let verdict = checks::run_in_scratch_worktree(session, &subject, &orders)?;
    let judgement = verdict.judgement();
    tool_transaction(session, |stage| {
        check_run::clear_attempt(stage.tx, candidate.attempt.id, CheckStage::Merge)?;
        for check in &verdict.checks {
            check_run::insert(stage.tx, check)?;
        }
        match judgement {
            ChecksVerdict::Good => Ok(()),
            ChecksVerdict::Unknown => {
                record_tool_fault(stage, run, candidate.event_subject(), &verdict.failure_summary())
            }
            ChecksVerdict::Bad => {
                let reason = format!(
                    "It passed alone, and fails merged with the run's branch: {}",
                    verdict.failure_summary()
                );
                reject_candidate(
                    stage,
                    candidate,
                    Some(ChecksStatus::Failed),
                    &reason,
                    verdict.tail.as_deref(),
                    Vec::new(),
                )
            }
        }
    })?;
    Ok(judgement == ChecksVerdict::Good)
}

/// The reported attempt as it is now; `None` when it was ended or judged meanwhile, or its task is done already.
fn reload_reported_attempt(
    stage: &mut UnitOfWork<'_, '_>,
    candidate: &MergeCandidate,
) -> Result<Option<ReportedAttempt>, Error> {
    let id = candidate.task.id;
    let task = task_table::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
    let same = task.attempt.is_some_and(|last| last.id == candidate.attempt.id);
    if same && task.state == TaskState::Reported {
        ReportedAttempt::load(stage, task).map(Some)
    } else {
        Ok(None)
    }
}

/// Rejects an attempt that cannot be merged. One whose task is done already stays as it is; that it is not on the run's
/// branch is told.
fn reject_candidate(
    stage: &mut UnitOfWork<'_, '_>,
    candidate: &MergeCandidate,
    checks: Option<ChecksStatus>,
    reason: &str,
    tail: Option<&str>,
    data: Vec<(&'static str, EventDatum)>,
) -> Result<(), Error> {
    match reload_reported_attempt(stage, candidate)? {
        Some(mut reported) => {
            if let Some(checks) = checks {
                reported.record_checks(stage, checks)?;
            }
            reported.reject(stage, reason, tail, data).map(|_| ())
        }
        None if is_still_wanted(stage.tx, candidate)? => {
            let data = [vec![("reason", reason.into())], data].concat();
            stage.append_event(EventKind::Fault, candidate.event_subject(), None, data)
        }
        None => Ok(()),
    }
}

fn reject_conflict(
    session: &mut Session,
    run: &Run,
    candidate: &MergeCandidate,
    conflict: &MergeConflict,
) -> Result<(), Error> {
    let files: Vec<String> = conflict.files.iter().map(|path| escape::path_text(path)).collect();
    let branch = require_run_git(run)?.branch.clone();
    let reason = format!(
        "It does not merge in {}: {branch} is at {} by now. Its commits are on {}; begin again from the run's branch.",
        escape::join_names(files.iter().map(String::as_str)),
        conflict.ours,
        candidate.tree.branch
    );
    let tail = conflict.messages.join("\n");
    tool_transaction(session, |stage| {
        let data = vec![
            ("conflict", files.clone().into()),
            ("commit", candidate.commit_to_merge().to_string().into()),
        ];
        reject_candidate(stage, candidate, None, &reason, Some(&tail), data)
    })
}

/// Whether the attempt is still to be merged, as it was looked at: it may have been recalled, cancelled, rejected or
/// given another commit by hand while its checks ran.
fn is_still_wanted(tx: &mut Transaction<'_>, candidate: &MergeCandidate) -> Result<bool, Error> {
    let Some(now) = load_candidate(tx, candidate.attempt.id)? else { return Ok(false) };
    let is_last = now.task.attempt.is_some_and(|last| last.id == candidate.attempt.id);
    Ok(is_last
        && now.task.state == candidate.task.state
        && now.tree.head == candidate.tree.head
        && now.tree.merged.is_none())
}

/// Writes down which commit the branch is about to move to, and for which attempt; `false` where it must not move.
fn record_merge_intent(
    session: &mut Session,
    taken: &EffectLease,
    candidate: &MergeCandidate,
    merged: &CommitId,
) -> Result<bool, Error> {
    let intent = json!({ "attempt": candidate.attempt.id.0, "commit": merged.as_str() }).to_string();
    session.write(WriteDurability::Power, |tx, _| {
        if !is_still_wanted(tx, candidate)? {
            return Ok(TxEnd::Rollback(false));
        }
        if taken.record_intent(tx, &intent)? { Ok(TxEnd::Commit(true)) } else { Err(superseded_error()) }
    })
}

pub(crate) fn superseded_error() -> Error {
    TreeRefusal::NotSupported { what: "Going on after another process took over".to_owned() }.into()
}

/// Records that the branch has the attempt: it is accepted, and its tree may go.
fn record_merge(
    session: &mut Session,
    taken: &EffectLease,
    candidate: &MergeCandidate,
    merged: &CommitId,
) -> Result<(), Error> {
    tool_transaction(session, |stage| {
        taken.record_intent(stage.tx, "")?;
        let tree = worktree::load(stage.tx, candidate.attempt.id)?
            .ok_or_else(|| lookup::missing_row("worktree", candidate.attempt.id.0))?;
        let tree = Worktree { merged: Some(to_stored_commit(merged)), updated_at: stage.now, ..tree };
        worktree::save(stage.tx, &tree)?;
        let data = vec![
            ("commit", merged.as_str().into()),
            ("head", candidate.commit_to_merge().to_string().into()),
        ];
        stage.append_event(EventKind::Integrated, candidate.event_subject(), None, data)?;
        effect_lease::request_effect_with_intent(
            stage.tx,
            EffectKind::Clear,
            tree.run,
            tree.attempt,
            clear::PARK,
            stage.now,
        )?;
        match reload_reported_attempt(stage, candidate)? {
            Some(reported) => reported.accept(stage, "it is on the run's branch").map(|_| ()),
            None => Ok(()),
        }
    })
}

/// Finishes what an earlier performer wrote down before it was cut off: the branch has the commit, or it has not.
fn recover_interrupted_merge(
    session: &mut Session,
    taken: &EffectLease,
    branch: &TrackedBranch<'_>,
) -> Result<(), Error> {
    let Some(written) = taken.effect.intent.as_deref().filter(|intent| !intent.is_empty()) else {
        return Ok(());
    };
    let written: serde_json::Value = serde_json::from_str(written).unwrap_or_default();
    let (Some(id), Some(merged)) =
        (written["attempt"].as_i64().map(AttemptId), written["commit"].as_str().and_then(CommitId::parse))
    else {
        return Ok(());
    };
    let there = branch.repository.is_ancestor(&merged, &branch.tip).unwrap_or(false);
    let candidate = session.read(|tx, _| load_candidate(tx, id))?;
    match candidate.filter(|candidate| there && candidate.tree.merged.is_none()) {
        Some(candidate) => record_merge(session, taken, &candidate, &merged),
        None => Ok(()),
    }
}

fn load_candidate(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<MergeCandidate>, Error> {
    let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
        return Ok(None);
    };
    let Some(task) = task_table::load(tx, attempt.task)? else { return Ok(None) };
    Ok(Some(MergeCandidate { task, text: attempt::load_text(tx, id)?, attempt, tree }))
}
