//! Forgetting a run: first what lies outside the store, in steps that may be repeated, and its rows at the very end.
//!
//! Nothing that exists nowhere else is lost: worktrees are salvaged, and the tips of branches that nothing else has are
//! kept beside them. What is in the way is told and the whole is given up, so that nothing is removed later without
//! being asked for again.

use std::path::Path;

use orch_core::effect::EffectKind;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::Slug;
use orch_core::refusal::Refusal;
use orch_core::run::{Run, RunGit};
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, effect, removal, worktree};
use orch_store::{Transaction, TxEnd};

use super::effect_lease::{self, EffectLease};
use super::{
    complete_effect, load_run, log_folder, open_repository, sweep, tool_transaction, wait_and_acquire,
};
use orch_git::{GitError, RefName, RefTip, Repository, sweep_deleted_folders};
use orch_inbox::{Error, Session};

/// How many references of one name are tried.
const NAMES_MAX: u32 = 1_000;

/// Removes the run, or says why not.
pub(crate) fn perform_removal(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    match delete_run(session, taken) {
        Err(error @ Error::Store(_)) => Err(error),
        removed => {
            // Where it is gone the effect is gone with it.
            tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()))?;
            removed
        }
    }
}

fn delete_run(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| {
        let run = load_run(tx, taken.effect.run)?;
        require_no_activity(tx, &run)?;
        Ok(run)
    })?;
    finish_pending_effects(session, &run)?;
    if let Some(ground) = run.ground.as_ref().filter(|ground| Path::new(&ground.repository).exists()) {
        clear_worktrees(session, &run)?;
        let repository = open_repository(session, &run)?;
        sweep::sweep_leftovers(&repository, &run, &repository.list_worktrees()?, 0)?;
        delete_references(&repository, &run, ground)?;
        remove_folders(Path::new(&ground.root))?;
    }
    remove_logs(&log_folder(session, &run, None))?;
    let who = taken.effect.intent.clone().map(Slug::from_stored);
    tool_transaction(session, |stage| {
        require_no_activity(stage.tx, &run)?;
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        removal::delete_run(stage.tx, run.id)?;
        let data = vec![("run", run.name.as_str().into())];
        stage.append_event(EventKind::RunRemoved, EventSubject::default(), who.clone(), data)
    })
}

/// Refuses a run that somebody works on.
pub(crate) fn require_no_activity(tx: &mut Transaction<'_>, run: &Run) -> Result<(), Error> {
    match attempt::list_live(tx, run.id, 1)?.pop() {
        Some(live) => {
            let (run, status) = (run.name.clone(), run.state.status());
            Err(Refusal::RunLive { run, status, attempt: live.name }.into())
        }
        None => Ok(()),
    }
}

/// Finishes what was begun with worktrees, and lets go of everything else that was asked for.
fn finish_pending_effects(session: &mut Session, run: &Run) -> Result<(), Error> {
    for other in session.read(|tx, _| Ok(effect::list_pending(tx, Some(run.id))?))? {
        match other.kind {
            EffectKind::Remove => {}
            EffectKind::Clear | EffectKind::Restore => {
                complete_effect(session, other.kind, other.run, other.attempt)?;
            }
            EffectKind::Branch
            | EffectKind::Prepare
            | EffectKind::Baseline
            | EffectKind::Verify
            | EffectKind::Integrate
            | EffectKind::Land
            | EffectKind::Sweep => {
                if let Some(taken) = wait_and_acquire(session, other.kind, other.run, other.attempt)? {
                    session.write(WriteDurability::Power, |tx, _| taken.finish(tx).map(TxEnd::Commit))?;
                }
            }
        }
    }
    Ok(())
}

/// Takes the worktrees away, after everything in them was kept.
fn clear_worktrees(session: &mut Session, run: &Run) -> Result<(), Error> {
    for tree in session.read(|tx, _| Ok(worktree::list_not_removed(tx, run.id)?))? {
        session.write(WriteDurability::Power, |tx, now| {
            effect_lease::request_effect(tx, EffectKind::Clear, run.id, Some(tree.attempt), now)
                .map(TxEnd::Commit)
        })?;
        complete_effect(session, EffectKind::Clear, run.id, Some(tree.attempt))?;
    }
    Ok(())
}

/// Deletes the run's branches; what is on them and nowhere else is kept beside what was salvaged.
fn delete_references(repository: &Repository, run: &Run, ground: &RunGit) -> Result<(), Error> {
    let places = [format!("refs/heads/{}/", ground.branch_prefix), format!("refs/orch/kept/{}/", run.name)];
    for entry in repository.list_worktrees()? {
        // Without its branch a checkout of somebody's would stand on nothing.
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
    Ok(repository.delete_refs(&ours)?)
}

/// Keeps a commit under the name that its branch had; an earlier run of the name may have kept others.
fn keep_commit(repository: &Repository, run: &Run, leaf: &str, entry: &RefTip) -> Result<(), Error> {
    let name = format!("refs/orch/salvage/{}/branches/{leaf}", run.name);
    for number in 1..NAMES_MAX {
        let name = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        match repository.ensure_ref(&RefName::new(&name)?, &entry.commit) {
            Err(GitError::RefExists { .. }) => {}
            kept => return Ok(kept?),
        }
    }
    Err(GitError::InvalidName { name }.into())
}

/// Removes the folder of the run's worktrees and the one that it lies in, as far as they are empty.
fn remove_folders(root: &Path) -> Result<(), Error> {
    sweep_deleted_folders(root)?;
    for folder in root.ancestors().take(2) {
        // Something of others keeps it, or it was never made.
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

fn remove_logs(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { doing: "delete", path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}
