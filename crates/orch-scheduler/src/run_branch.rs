//! The run's branch as git has it: noticing what others did to it, and checking it before it is merged into or landed.
//!
//! The store records where orch left the branch.
//! [`require_checked_tip`] is what a merge or a landing asks first; [`notice_branch_moves`] is what reads do.
//! A pending effect that is about to move the branch explains where it is found, so that a merge of orch is never taken for one by others.

use std::collections::BTreeSet;
use std::path::Path;

use orch_core::check::{CheckStage, ChecksVerdict};
use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::escape;
use orch_core::event::{EventDatum, EventKind, EventSubject};
use orch_core::id::{AttemptId, CommitHash, RunId, Slug};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::branch::{self, BranchPosition, BranchProblem, FoundBranch};
use orch_core::run::{BranchMovePolicy, PauseReason, Run, RunGit, RunStatus};
use orch_store::Transaction;
use orch_store::table::{attempt, check_run, effect, worktree};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::tool_fault::{record_tool_fault, set_run_offered};
use crate::unit_of_work::UnitOfWork;
use orch_git::{
    CommitId, GitError, RefCondition, RefName, Repository, read_loose_branch, record_seen_branch,
    was_seen_in_this_boot,
};
use orch_inbox::{Error, Session};
use orch_workspace::branch_protection::find_protected_changes;
use orch_workspace::check_cache::{CheckReuse, run_known_checks};
use orch_workspace::checks;
use orch_workspace::checks::{CheckReport, CheckSubject};
use orch_workspace::run_repository::{
    branch_ref, open_repository, require_run_git, to_commit_id, to_stored_commit,
};

/// How often the branch is looked at again because it moved meanwhile.
const LOOKS_MAX: u32 = 20;

/// How many commits and authors an event names.
const COMMITS_NAMED: usize = 20;

/// The run's branch, as far as a merge or a landing is concerned.
#[derive(Debug)]
pub(crate) enum ObservedBranch {
    /// It is where orch left it, or where a pending effect of orch moves it.
    InPlace(CommitId),
    /// Others advanced it, and the run's checks have not run there.
    Unchecked(CommitId),
    /// It was moved or deleted.
    Moved(Refusal),
}

/// Returns the tip of a branch that has a file of its own and is where orch left it, without starting git.
pub(crate) fn recorded_tip(run: &Run) -> Option<CommitId> {
    let git = run.ground.as_ref()?;
    let found = read_loose_branch(Path::new(&git.repository), &branch_ref(&git.branch).ok()?)?;
    (found.as_str() == git.tip.as_str()).then_some(found)
}

/// Returns the tip of the run's branch, on which the run's checks have passed.
///
/// Commits of others are recorded and checked first.
///
/// # Errors
/// `BranchMoved`: others moved or deleted the branch, or their commits fail the checks; the run is paused.
pub(crate) fn require_checked_tip(
    session: &mut Session,
    run: RunId,
    repository: &Repository,
) -> Result<CommitId, Error> {
    for _ in 0..LOOKS_MAX {
        match observe_branch(session, run, repository)? {
            ObservedBranch::InPlace(tip) => return Ok(tip),
            ObservedBranch::Moved(refusal) => return Err(refusal.into()),
            ObservedBranch::Unchecked(to) => check_advance(session, run, repository, &to)?,
        }
    }
    Err(GitError::Busy.into())
}

/// Returns the tip of the run's branch for the base of an attempt, which needs no checks.
///
/// # Errors
/// `BranchMoved`; the run is paused.
pub(crate) fn require_tip(
    session: &mut Session,
    run: RunId,
    repository: &Repository,
) -> Result<CommitId, Error> {
    match observe_branch(session, run, repository)? {
        ObservedBranch::InPlace(tip) | ObservedBranch::Unchecked(tip) => Ok(tip),
        ObservedBranch::Moved(refusal) => Err(refusal.into()),
    }
}

/// Looks for branches that others moved, and records what is found; returns whether anything was recorded.
///
/// A branch that is where it is expected costs one file read, and a repository that cannot be read hides nothing else.
pub fn notice_branch_moves<'r>(session: &mut Session, runs: impl IntoIterator<Item = &'r Run>) -> bool {
    let mut has_changed = false;
    for run in runs {
        let Some(git) = &run.ground else { continue };
        if run.state.status() == RunStatus::Cancelled || is_as_recorded(git) {
            continue;
        }
        let Ok(repository) = open_repository(session, run) else { continue };
        let before = (run.state.clone(), git.seen.clone());
        if observe_branch(session, run.id, &repository).is_ok() {
            let after = session.query(|tx| lookup::load_run(tx, run.id)).ok();
            has_changed |=
                after.is_some_and(|run| (run.state, run.ground.and_then(|git| git.seen)) != before);
        }
    }
    has_changed
}

/// Whether the branch has a file of its own that names the recorded commit.
fn is_as_recorded(git: &RunGit) -> bool {
    let Ok(name) = branch_ref(&git.branch) else { return true };
    let found = read_loose_branch(Path::new(&git.repository), &name).map(|commit| to_stored_commit(&commit));
    let is_recorded = found.is_some_and(|found| found == git.tip || Some(&found) == git.seen.as_ref());
    if is_recorded {
        record_seen_branch(Path::new(&git.repository), &name);
    }
    is_recorded
}

/// Puts the branch back where orch left it if a power loss took it; returns whether it did.
///
/// A missing branch counts as lost only if it was not seen since the host started: otherwise it was deleted.
fn restore_lost_branch(repository: &Repository, git: &RunGit) -> Result<bool, Error> {
    let name = branch_ref(&git.branch)?;
    let is_lost = match repository.inspect_ref(&name)? {
        RefCondition::Sound(_) => false,
        RefCondition::Missing => !was_seen_in_this_boot(repository.common_dir(), &name),
        RefCondition::Unreadable | RefCondition::Dangling(_) => true,
    };
    let tip = to_commit_id(&git.tip)?;
    if !is_lost || !repository.find_missing_commits(&BTreeSet::from([tip.clone()]))?.is_empty() {
        return Ok(false);
    }
    repository.restore_ref(&name, &tip)?;
    record_seen_branch(repository.common_dir(), &name);
    Ok(true)
}

/// Looks at the branch and records what others did to it.
pub(crate) fn observe_branch(
    session: &mut Session,
    run: RunId,
    repository: &Repository,
) -> Result<ObservedBranch, Error> {
    for _ in 0..LOOKS_MAX {
        let (run, explained) = session.query(|tx| {
            let run = lookup::load_run(tx, run)?;
            let explained = ExplainedPositions::load(tx, run.id)?;
            Ok((run, explained))
        })?;
        let git = require_run_git(&run)?;
        let found = match read_position(repository, git) {
            Ok(Some(found)) => Some(found),
            unread => {
                if !explained.is_being_created && restore_lost_branch(repository, git)? {
                    continue;
                }
                unread?
            }
        };
        if let Some(tip) = explained.explain(git, found.as_ref()) {
            return Ok(ObservedBranch::InPlace(to_commit_id(&tip)?));
        }
        let observation = match branch::judge_branch(&git.tip, found.as_ref()) {
            BranchPosition::InPlace => return Ok(ObservedBranch::InPlace(to_commit_id(&git.tip)?)),
            BranchPosition::Advanced(to) => record_advance(session, repository, &run, &to)?,
            BranchPosition::Moved(problem) => record_move(session, repository, &run, &problem)?,
        };
        if let Some(observed) = observation {
            return Ok(observed);
        }
    }
    Err(GitError::Busy.into())
}

/// Reads the branch, and asks git whether it contains what orch left there.
fn read_position(repository: &Repository, git: &RunGit) -> Result<Option<FoundBranch>, Error> {
    let Some(reading) = repository.read_branch(&branch_ref(&git.branch)?)? else { return Ok(None) };
    let commit = to_stored_commit(&reading.commit);
    let contains_tip = commit == git.tip
        // The commit where orch left the branch may have been collected as garbage.
        || repository.is_ancestor(&to_commit_id(&git.tip)?, &reading.commit).or_else(|error| {
            let tip_exists = repository.resolve_commit(git.tip.as_str()).is_ok();
            if tip_exists { Err(error) } else { Ok(false) }
        })?;
    Ok(Some(FoundBranch { commit, symbolic: reading.symbolic, contains_tip }))
}

/// Where pending effects of orch create or move the branch.
#[derive(Debug, PartialEq, Eq)]
struct ExplainedPositions {
    is_being_created: bool,
    /// Where merges of orch move it.
    merged: Vec<CommitHash>,
}

impl ExplainedPositions {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut explained = Self { is_being_created: false, merged: Vec::new() };
        for pending in effect::list_pending(tx, Some(run))? {
            match pending.effect {
                Effect::CreateBranch => explained.is_being_created = true,
                Effect::IntegrateRun { merging } => {
                    explained.merged.extend(merging.map(|merge| merge.commit));
                }
                Effect::SyncRun(plan) => {
                    explained.merged.extend(plan.and_then(|plan| plan.step).map(|step| step.step.to));
                }
                _ => {}
            }
        }
        Ok(explained)
    }

    /// Returns the tip if a pending effect explains why the branch is where it is found.
    fn explain(&self, git: &RunGit, found: Option<&FoundBranch>) -> Option<CommitHash> {
        match found {
            None if self.is_being_created => Some(git.base.clone()),
            None => None,
            Some(found) => {
                let is_ours = found.symbolic.is_none() && self.merged.contains(&found.commit);
                is_ours.then(|| found.commit.clone())
            }
        }
    }
}

/// Whether the facts that an observation was judged by still hold.
fn is_current(
    unit: &mut UnitOfWork<'_, '_>,
    judged: &Run,
    found: Option<&CommitHash>,
) -> Result<bool, Error> {
    let explained = ExplainedPositions::load(unit.tx, judged.id)?;
    let current = unit.load_run(judged.id)?;
    let same_tip = current.ground.as_ref().map(|git| &git.tip) == judged.ground.as_ref().map(|git| &git.tip);
    let is_ours = match found {
        Some(found) => explained.merged.contains(found),
        None => explained.is_being_created,
    };
    Ok(same_tip && !is_ours)
}

/// Records that others advanced the branch; `None` where the store changed meanwhile.
fn record_advance(
    session: &mut Session,
    repository: &Repository,
    run: &Run,
    to: &CommitHash,
) -> Result<Option<ObservedBranch>, Error> {
    let git = require_run_git(run)?;
    if run.state.pause_reason() == Some(PauseReason::BranchMoved) && git.seen.as_ref() == Some(to) {
        return Ok(branch::require_branch(run).err().map(ObservedBranch::Moved));
    }
    let pauses = run.rules.on_branch_move == BranchMovePolicy::Pause;
    let observed = if pauses {
        let problem = BranchProblem::Advanced(to.clone());
        ObservedBranch::Moved(moved_refusal(run, &problem, &[])?)
    } else {
        ObservedBranch::Unchecked(to_commit_id(to)?)
    };
    if git.seen.as_ref() == Some(to) && !(pauses && run.state.status() == RunStatus::Open) {
        return Ok(Some(observed));
    }
    let data = advance_data(repository, git, to)?;
    let recorded = tool_transaction(session, |unit| {
        if !is_current(unit, run, Some(to))? {
            return Ok(false);
        }
        let current = unit.load_run(run.id)?.clone();
        if let Some(advanced) = branch::record_advance(&current, to) {
            unit.replace_run(advanced);
            unit.append_event(EventKind::BranchAdvanced, EventSubject::of_run(run.id), None, data.clone())?;
        }
        if pauses {
            pause_run_for_branch(unit, run.id, &BranchProblem::Advanced(to.clone()), &[])?;
        }
        Ok(true)
    })?;
    Ok(recorded.then_some(observed))
}

/// The data of an event that tells what others added to the branch.
fn advance_data(
    repository: &Repository,
    git: &RunGit,
    to: &CommitHash,
) -> Result<Vec<(&'static str, EventDatum)>, Error> {
    let (from, tip) = (to_commit_id(&git.tip)?, to_commit_id(to)?);
    let commits = repository.list_commits_between(&from, &tip, COMMITS_NAMED)?;
    let total = repository.ahead_behind(&from, &tip)?.ahead;
    let mut authors: Vec<String> = Vec::new();
    for commit in &commits {
        if !authors.contains(&commit.author) {
            authors.push(commit.author.clone());
        }
    }
    Ok(vec![
        ("branch", git.branch.as_str().into()),
        ("from", git.tip.as_str().into()),
        ("to", to.as_str().into()),
        ("commits", commits.iter().map(|commit| commit.commit.to_string()).collect::<Vec<_>>().into()),
        ("subjects", commits.into_iter().map(|commit| commit.subject).collect::<Vec<_>>().into()),
        ("authors", authors.into()),
        ("total", i64::try_from(total).unwrap_or(i64::MAX).into()),
    ])
}

/// Records that the branch was moved or deleted, and pauses the run; `None` where the store changed meanwhile.
///
/// A finished run whose work another branch has is not paused: its branch may be deleted after a landing.
fn record_move(
    session: &mut Session,
    repository: &Repository,
    run: &Run,
    problem: &BranchProblem,
) -> Result<Option<ObservedBranch>, Error> {
    let git = require_run_git(run)?;
    let fallen = find_fallen_attempts(session, repository, run.id, problem.commit())?;
    let lost: Vec<Slug> = fallen.iter().map(|(_, key)| key.clone()).collect();
    let refusal = moved_refusal(run, problem, &lost)?;
    if run.state.status() == RunStatus::Finished && has_landed_elsewhere(repository, git)? {
        return Ok(Some(ObservedBranch::Moved(refusal)));
    }
    let message = problem.describe(git, &lost);
    if branch::pause_for_branch(run, problem, &message, session.clock_now()).is_none() {
        return Ok(Some(ObservedBranch::Moved(refusal)));
    }
    // No garbage collection may take what `--restore` needs; a commit that no longer exists cannot be kept.
    let _ = keep_commit(repository, run, &git.tip);
    let attempts: Vec<AttemptId> = fallen.iter().map(|(id, _)| *id).collect();
    let recorded = tool_transaction(session, |unit| {
        if !is_current(unit, run, problem.commit())? {
            return Ok(false);
        }
        worktree::mark_fallen(unit.tx, run.id, &attempts)?;
        pause_run_for_branch(unit, run.id, problem, &lost)?;
        Ok(true)
    })?;
    Ok(recorded.then_some(ObservedBranch::Moved(refusal)))
}

fn moved_refusal(run: &Run, problem: &BranchProblem, lost: &[Slug]) -> Result<Refusal, Error> {
    let git = require_run_git(run)?;
    Ok(TreeRefusal::BranchMoved {
        run: run.name.clone(),
        branch: git.branch.clone(),
        tip: git.tip.clone(),
        found: problem.commit().cloned(),
        message: problem.describe(git, lost),
    }
    .into())
}

/// Pauses the run because of its branch, with the events that tell it.
fn pause_run_for_branch(
    unit: &mut UnitOfWork<'_, '_>,
    run: RunId,
    problem: &BranchProblem,
    lost: &[Slug],
) -> Result<(), Error> {
    let before = unit.load_run(run)?.clone();
    let git = require_run_git(&before)?.clone();
    let message = problem.describe(&git, lost);
    let Some(paused) = branch::pause_for_branch(&before, problem, &message, unit.now) else { return Ok(()) };
    unit.replace_run(paused);
    let about = EventSubject::of_run(run);
    let mut data = vec![
        ("branch", git.branch.as_str().into()),
        ("expected", git.tip.as_str().into()),
        ("message", message.as_str().into()),
        ("tasks", lost.iter().map(ToString::to_string).collect::<Vec<_>>().into()),
    ];
    data.extend(problem.commit().map(|found| ("found", found.as_str().into())));
    unit.append_event(EventKind::BranchMoved, about, None, data)?;
    if before.state.pause_reason() != Some(PauseReason::BranchMoved) {
        let data = vec![("reason", PauseReason::BranchMoved.name().into()), ("message", message.into())];
        unit.append_event(EventKind::RunPaused, about, None, data)?;
        set_run_offered(unit, run, false)?;
    }
    Ok(())
}

/// Whether a branch that is none of the run's has the commit where orch left the run's branch.
fn has_landed_elsewhere(repository: &Repository, git: &RunGit) -> Result<bool, Error> {
    let own = format!("refs/heads/{}/", git.branch_prefix);
    let Ok(holders) = repository.list_branches_containing(&to_commit_id(&git.tip)?) else { return Ok(false) };
    Ok(git.tip != git.base && holders.iter().any(|name| !name.as_str().starts_with(&own)))
}

/// Returns the merged attempts whose commits are not on the branch at this commit, with the keys of their tasks.
pub(crate) fn find_fallen_attempts(
    session: &mut Session,
    repository: &Repository,
    run: RunId,
    at: Option<&CommitHash>,
) -> Result<Vec<(AttemptId, Slug)>, Error> {
    let merged = session.query(|tx| {
        let trees = worktree::list_merged(tx, run)?;
        let ids: Vec<AttemptId> = trees.iter().map(|tree| tree.attempt).collect();
        let names = if ids.is_empty() { Vec::new() } else { attempt::load_many(tx, &ids)? };
        Ok(trees.into_iter().zip(names).collect::<Vec<_>>())
    })?;
    let at = at.map(to_commit_id).transpose()?;
    let mut fallen = Vec::new();
    for (tree, attempt) in merged {
        let head = to_commit_id(tree.head.as_ref().unwrap_or(&tree.base))?;
        let is_there = at.as_ref().is_some_and(|at| repository.is_ancestor(&head, at).unwrap_or(false));
        if !is_there {
            fallen.push((attempt.id, attempt.name.task.key));
        }
    }
    Ok(fallen)
}

/// Keeps a commit of the run's branch, whatever happens to the branch; returns the reference.
pub(crate) fn keep_commit(repository: &Repository, run: &Run, commit: &CommitHash) -> Result<RefName, Error> {
    let reference = RefName::new(&format!("refs/orch/kept/{}/branch/{commit}", run.name))?;
    repository.ensure_ref(&reference, &to_commit_id(commit)?)?;
    Ok(reference)
}

/// Runs the run's checks on a commit of its branch that others made, protected files included.
///
/// # Errors
/// The checks could not run.
fn check_advance(
    session: &mut Session,
    run: RunId,
    repository: &Repository,
    to: &CommitId,
) -> Result<(), Error> {
    let run = session.query(|tx| lookup::load_run(tx, run))?;
    let commit = to_stored_commit(to);
    let protected = find_protected_changes(repository, &run, to)?;
    if !protected.is_empty() {
        let names: Vec<String> = protected.iter().map(|path| escape::path_text(path)).collect();
        let names = escape::join_names(names.iter().map(String::as_str));
        let summary = format!("Protected files were changed: {names}.");
        return record_check_failure(session, &run, commit, None, summary);
    }
    let report = run_branch_checks(session, &run, &commit, CheckReuse::Known)?;
    match report.verdict() {
        ChecksVerdict::Good => record_checked_tip(session, &run, &commit, &report),
        ChecksVerdict::Bad => {
            let summary = report.failure_summary(&run);
            record_check_failure(session, &run, commit, Some(&report), summary)
        }
        ChecksVerdict::Unknown => {
            let summary = report.failure_summary(&run);
            tool_transaction(session, |unit| {
                record_tool_fault(unit, run.id, EventSubject::of_run(run.id), &summary)
            })?;
            let subject = format!("the branch of {}", run.name);
            Err(TreeRefusal::ChecksFailed { subject, checks: report.failed_checks(&run) }.into())
        }
    }
}

/// Runs the run's checks on a commit of its branch.
pub(crate) fn run_branch_checks(
    session: &mut Session,
    run: &Run,
    commit: &CommitHash,
    reuse: CheckReuse,
) -> Result<CheckReport, Error> {
    let subject = CheckSubject { run, attempt: None, slot: 0, stage: CheckStage::Branch, commit, stop: None };
    let specs = checks::check_specs(&run.rules.verify, &[]);
    run_known_checks(session, &subject, &specs, reuse)
}

/// Records that the checks passed where others advanced the branch.
fn record_checked_tip(
    session: &mut Session,
    run: &Run,
    commit: &CommitHash,
    report: &CheckReport,
) -> Result<(), Error> {
    tool_transaction(session, |unit| {
        if !is_current(unit, run, Some(commit))? {
            return Ok(());
        }
        save_branch_checks(unit, run.id, report)?;
        let current = unit.load_run(run.id)?.clone();
        unit.replace_run(branch::leave_branch_at(&current, commit));
        let data = vec![("branch", "passed".into()), ("commit", commit.as_str().into())];
        unit.append_event(EventKind::Checked, EventSubject::of_run(run.id), None, data)
    })
}

/// Records that the commits of others are refused; the run is paused.
fn record_check_failure(
    session: &mut Session,
    run: &Run,
    commit: CommitHash,
    report: Option<&CheckReport>,
    summary: String,
) -> Result<(), Error> {
    let problem = BranchProblem::ChecksFailed { commit: commit.clone(), summary };
    let refusal = moved_refusal(run, &problem, &[])?;
    let is_recorded = tool_transaction(session, |unit| {
        if !is_current(unit, run, Some(&commit))? {
            return Ok(false);
        }
        if let Some(report) = report {
            save_branch_checks(unit, run.id, report)?;
        }
        let data = vec![("branch", "failed".into()), ("commit", commit.as_str().into())];
        unit.append_event(EventKind::Checked, EventSubject::of_run(run.id), None, data)?;
        pause_run_for_branch(unit, run.id, &problem, &[])?;
        Ok(true)
    })?;
    if is_recorded { Err(refusal.into()) } else { Ok(()) }
}

/// Replaces the recorded results of checks on the run's branch.
pub(crate) fn save_branch_checks(
    unit: &mut UnitOfWork<'_, '_>,
    run: RunId,
    report: &CheckReport,
) -> Result<(), Error> {
    check_run::clear_run(unit.tx, run, CheckStage::Branch)?;
    report.save(unit.tx)
}

/// Whether the branch of a run is where orch left it or advanced from there, so that the run can be resumed.
pub(crate) fn is_branch_back(session: &mut Session, run: &Run) -> bool {
    let Ok(repository) = open_repository(session, run) else { return false };
    let Some(git) = &run.ground else { return true };
    match read_position(&repository, git).map(|found| branch::judge_branch(&git.tip, found.as_ref())) {
        Ok(BranchPosition::InPlace) => true,
        // What failed its checks, or is not to be taken without asking, is not taken by resuming.
        Ok(BranchPosition::Advanced(to)) => git.seen.as_ref() != Some(&to),
        Ok(BranchPosition::Moved(_)) | Err(_) => false,
    }
}

/// The key of a pending repair of the run's branch.
pub fn repair_key(run: RunId) -> EffectKey {
    EffectKey::of_run(EffectKind::Repair, run)
}
