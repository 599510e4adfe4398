//! Repairing the run's branch after others moved it.
//!
//! Whichever commit the branch does not stay at is kept by a reference before the branch moves.
//! A refused repair is given up, so that nothing moves later without being asked for again.

use orch_core::check::ChecksVerdict;
use orch_core::event::{EventDatum, EventKind, EventSubject};
use orch_core::id::CommitHash;
use orch_core::refusal::TreeRefusal;
use orch_core::run::{Run, RunStatus, branch};
use orch_store::table::worktree;

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::EffectLease;
use crate::run_branch::{find_fallen_attempts, keep_commit, run_branch_checks, save_branch_checks};
use crate::tool_fault::set_run_offered;
use orch_git::{BranchReading, Repository};
use orch_inbox::{Error, Session};
use orch_workspace::checks::CheckReport;
use orch_workspace::run_repository::{
    branch_ref, open_repository, require_run_git, to_commit_id, to_stored_commit,
};
use orch_workspace::tracked_branch::TrackedBranch;

/// Repairs the branch, or gives the repair up.
pub(super) fn repair_branch(session: &mut Session, lease: &EffectLease, adopt: bool) -> Result<(), Error> {
    let repaired = match adopt {
        true => adopt_branch(session, lease),
        false => restore_branch(session, lease),
    };
    match repaired {
        Ok(()) => Ok(()),
        Err(error @ Error::Store(_)) => Err(error),
        Err(error) => {
            lease.complete_alone(session)?;
            Err(error)
        }
    }
}

/// Moves the branch back to where orch left it, with the files of its checkout.
fn restore_branch(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    let git = require_run_git(&run)?;
    let (name, tip) = (branch_ref(&git.branch)?, to_commit_id(&git.tip)?);
    // A branch cannot be put back to a commit that no longer exists.
    repository.resolve_commit(tip.as_str())?;
    let found = detach_symbolic(&repository, &run, repository.read_branch(&name)?)?;
    let mut kept = None;
    match found {
        Some(found) if found.commit == tip => {}
        Some(found) => {
            kept = Some(keep_commit(&repository, &run, &to_stored_commit(&found.commit))?);
            TrackedBranch::new(&repository, &git.branch, found.commit)?.advance(&tip)?;
        }
        None => repository.create_ref(&name, &tip)?,
    }
    let mut data = vec![("repair", "restore".into())];
    data.extend(kept.map(|kept| ("kept", kept.as_str().into())));
    record_repair(session, lease, &run, &git.tip, None, data)
}

/// Replaces a symbolic reference by a branch at the same commit; returns the branch as it is then.
fn detach_symbolic(
    repository: &Repository,
    run: &Run,
    found: Option<BranchReading>,
) -> Result<Option<BranchReading>, Error> {
    let name = branch_ref(&require_run_git(run)?.branch)?;
    match found {
        Some(found) if found.symbolic.is_some() => {
            repository.remove_symbolic_ref(&name)?;
            repository.create_ref(&name, &found.commit)?;
            Ok(Some(BranchReading { symbolic: None, ..found }))
        }
        Some(found) => Ok(Some(found)),
        None => {
            // A symbolic reference that points nowhere conflicts with a new branch.
            let _ = repository.remove_symbolic_ref(&name);
            Ok(None)
        }
    }
}

/// Keeps the branch where others moved it, if the run's checks pass there.
///
/// Commits that fell off the branch are marked to be merged again.
fn adopt_branch(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    let git = require_run_git(&run)?;
    let found = repository.read_branch(&branch_ref(&git.branch)?)?;
    let Some(found) = detach_symbolic(&repository, &run, found)? else {
        return Err(TreeRefusal::NothingToAdopt { run: run.name.clone(), branch: git.branch.clone() }.into());
    };
    let commit = to_stored_commit(&found.commit);
    let mut report = None;
    let mut data = vec![("repair", "adopt".into())];
    if commit != git.tip {
        let ran = run_branch_checks(session, &run, &commit, lease.checks.reuse)?;
        if ran.verdict() != ChecksVerdict::Good {
            let subject = format!("branch {}", git.branch);
            let checks = ran.failed_checks(&run);
            tool_transaction(session, |unit| save_branch_checks(unit, run.id, &ran))?;
            return Err(TreeRefusal::ChecksFailed { subject, checks }.into());
        }
        report = Some(ran);
        if let Ok(kept) = keep_commit(&repository, &run, &git.tip) {
            data.push(("kept", kept.as_str().into()));
        }
    }
    record_repair(session, lease, &run, &commit, report.as_ref(), data)
}

/// Records where the branch is left, resumes the run, and marks what is no longer on the branch to be merged again.
fn record_repair(
    session: &mut Session,
    lease: &EffectLease,
    run: &Run,
    commit: &CommitHash,
    report: Option<&CheckReport>,
    data: Vec<(&'static str, EventDatum)>,
) -> Result<(), Error> {
    let repository = open_repository(session, run)?;
    let fallen = find_fallen_attempts(session, &repository, run.id, Some(commit))?;
    repository.flush()?;
    tool_transaction(session, |unit| {
        if !lease.complete(unit.tx)? {
            return Ok(());
        }
        if let Some(report) = report {
            save_branch_checks(unit, run.id, report)?;
        }
        let ids: Vec<_> = fallen.iter().map(|(id, _)| *id).collect();
        worktree::mark_fallen(unit.tx, run.id, &ids)?;
        worktree::unmerge_fallen(unit.tx, run.id)?;
        let before = unit.load_run(run.id)?.clone();
        let repaired = branch::settle_repaired(&before, commit, unit.now);
        let is_resumed = before.state.status() == RunStatus::Paused && repaired.state != before.state;
        unit.replace_run(repaired);
        let about = EventSubject::of_run(run.id);
        let mut data = data.clone();
        data.push(("commit", commit.as_str().into()));
        data.push(("tasks", fallen.iter().map(|(_, key)| key.to_string()).collect::<Vec<_>>().into()));
        unit.append_event(EventKind::RunRepaired, about, None, data)?;
        if is_resumed {
            unit.append_event(EventKind::RunResumed, about, None, Vec::new())?;
            set_run_offered(unit, run.id, true)?;
        }
        Ok(())
    })
}
