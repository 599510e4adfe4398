//! Removing a run: first its worktrees, branches and logs, in idempotent steps, and its rows at the very end.
//!
//! No commit is lost: worktrees are salvaged, and the tips of branches that no other reference has are kept beside the salvage.
//! An obstacle is reported and the removal is given up, so that nothing is removed later without being asked for again.

use std::path::Path;

use orch_core::effect::{ClearingMode, Effect, EffectKey, EffectKind};
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::Slug;
use orch_core::refusal::Refusal;
use orch_core::run::{Run, RunGit};
use orch_core::worktree::WorktreeState;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, effect, removal, worktree};
use orch_store::{Transaction, TxEnd};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::{EffectLease, complete_by, request_effect};
use crate::perform::{clear, restore};
use orch_git::{GitError, RefName, RefTip, Repository, sweep_deleted_folders};
use orch_inbox::{Error, Session};
use orch_process::deletion::{delete_empty_folder, delete_with_contents};
use orch_workspace::check_tree;
use orch_workspace::checks::log_folder;
use orch_workspace::run_repository::{open_repository, salvage_prefix};
use orch_workspace::worktree_pool::WorktreePool;

/// How many numbered names are tried for a reference that keeps a commit.
const NAMES_MAX: u32 = 1_000;

/// Removes the run, or gives the removal up.
pub(super) fn perform_removal(
    session: &mut Session,
    lease: &EffectLease,
    requested_by: Option<&Slug>,
    purge: bool,
) -> Result<(), Error> {
    match delete_run(session, lease, requested_by, purge) {
        Ok(()) => Ok(()),
        Err(error @ Error::Store(_)) => Err(error),
        Err(error) => {
            lease.complete_alone(session)?;
            Err(error)
        }
    }
}

fn delete_run(
    session: &mut Session,
    lease: &EffectLease,
    requested_by: Option<&Slug>,
    purge: bool,
) -> Result<(), Error> {
    let run = session.read(|tx, _| {
        let run = lookup::load_run(tx, lease.run)?;
        require_no_activity(tx, &run)?;
        Ok(run)
    })?;
    finish_pending_effects(session, &run)?;
    if let Some(git) = run.ground.as_ref().filter(|git| Path::new(&git.repository).exists()) {
        clear_worktrees(session, &run)?;
        let repository = open_repository(session, &run)?;
        WorktreePool::new(&repository, &run)?.sweep(&repository.list_worktrees()?, 0)?;
        check_tree::delete_all(session, &repository, &run)?;
        delete_references(&repository, &run, git)?;
        if purge {
            repository.delete_refs(&repository.list_refs(&salvage_prefix(&run.name))?)?;
        }
        remove_folders(Path::new(&git.root))?;
    }
    remove_logs(&log_folder(session, &run, None))?;
    tool_transaction(session, |unit| {
        require_no_activity(unit.tx, &run)?;
        if !lease.complete(unit.tx)? {
            return Ok(());
        }
        removal::delete_run(unit.tx, run.id)?;
        let data = vec![("run", run.name.as_str().into())];
        unit.append_event(EventKind::RunRemoved, EventSubject::default(), requested_by.cloned(), data)
    })
}

/// Refuses a run with a live attempt.
pub fn require_no_activity(tx: &mut Transaction<'_>, run: &Run) -> Result<(), Error> {
    match attempt::list_live(tx, run.id, 1)?.pop() {
        Some(live) => {
            let (run, status) = (run.name.clone(), run.state.status());
            Err(Refusal::RunLive { run, status, attempt: live.name }.into())
        }
        None => Ok(()),
    }
}

/// Completes the pending effects on worktrees, and withdraws all others.
fn finish_pending_effects(session: &mut Session, run: &Run) -> Result<(), Error> {
    for other in session.read(|tx, _| Ok(effect::list_pending(tx, Some(run.id))?))? {
        let key = other.key();
        match key.kind {
            EffectKind::Remove => {}
            EffectKind::Clear => complete_by(session, key, clear::perform_clearing)?,
            EffectKind::Restore => complete_by(session, key, restore::perform_restore)?,
            EffectKind::Branch
            | EffectKind::Prepare
            | EffectKind::Baseline
            | EffectKind::Verify
            | EffectKind::Integrate
            | EffectKind::Land
            | EffectKind::Sync
            | EffectKind::Repair
            | EffectKind::Sweep => {
                if let Some(lease) = EffectLease::wait_and_acquire(session, key)? {
                    lease.complete_alone(session)?;
                }
            }
        }
    }
    Ok(())
}

/// Removes the worktrees, after everything in them was salvaged.
fn clear_worktrees(session: &mut Session, run: &Run) -> Result<(), Error> {
    let mut trees = session.read(|tx, _| Ok(worktree::list_not_removed(tx, run.id)?))?;
    trees.retain(|tree| tree.state != WorktreeState::Attic);
    session.write(WriteDurability::Power, |tx, now| {
        for tree in &trees {
            let effect = Effect::ClearWorktree { attempt: tree.attempt, mode: ClearingMode::Remove };
            request_effect(tx, run.id, &effect, now)?;
        }
        Ok(TxEnd::Commit(()))
    })?;
    // What keeps one worktree does not keep the others.
    let mut obstacle = Ok(());
    for tree in &trees {
        let key = EffectKey::of_attempt(EffectKind::Clear, run.id, tree.attempt);
        match complete_by(session, key, clear::perform_clearing) {
            Err(error @ Error::Store(_)) => return Err(error),
            cleared => obstacle = obstacle.and(cleared),
        }
    }
    obstacle
}

/// Deletes the run's branches; commits that no other reference has are kept beside the salvage.
fn delete_references(repository: &Repository, run: &Run, ground: &RunGit) -> Result<(), Error> {
    let places = [format!("refs/heads/{}/", ground.branch_prefix), format!("refs/orch/kept/{}/", run.name)];
    for entry in repository.list_worktrees()? {
        // Without its branch a person's checkout would have no commit.
        let branch = entry.head.and_then(|head| head.branch);
        if let Some(branch) = branch.filter(|branch| branch.as_str().starts_with(&places[0])) {
            return Err(GitError::CheckedOutElsewhere { branch, path: entry.path }.into());
        }
    }
    let mut ours = Vec::new();
    for place in &places {
        ours.extend(repository.list_refs(place)?);
    }
    for entry in repository.refs_with_unique_commits(&ours)? {
        let name = entry.reference.as_str();
        let leaf = places.iter().find_map(|place| name.strip_prefix(place.as_str())).unwrap_or(name);
        keep_commit(repository, run, leaf, &entry)?;
    }
    repository.flush()?;
    Ok(repository.delete_refs(&ours)?)
}

/// Keeps a commit under its branch's name, numbered where an earlier run of the same name has kept another.
fn keep_commit(repository: &Repository, run: &Run, leaf: &str, entry: &RefTip) -> Result<(), Error> {
    let name = format!("refs/orch/salvage/{}/branches/{leaf}", run.name);
    for number in 1..NAMES_MAX {
        let name = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        match repository.ensure_ref(&RefName::new(&name)?, &entry.commit) {
            Err(GitError::RefExists { .. }) => {}
            kept => return Ok(kept?),
        }
    }
    Err(GitError::InvalidName(name).into())
}

/// Removes the folder of the run's worktrees and its parent, as far as they are empty.
fn remove_folders(root: &Path) -> Result<(), Error> {
    sweep_deleted_folders(root)?;
    for folder in root.ancestors().take(2) {
        // It has other contents, or was never created.
        if !delete_empty_folder(folder) {
            break;
        }
    }
    Ok(())
}

fn remove_logs(folder: &Path) -> Result<(), Error> {
    delete_with_contents(folder).map_err(|source| Error::File {
        doing: "delete",
        path: folder.to_owned(),
        source,
    })
}
