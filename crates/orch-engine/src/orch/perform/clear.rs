//! Taking the worktree of an ended attempt away, after everything in it was kept.

use std::path::Path;

use orch_core::attempt::Attempt;
use orch_core::event::{About, EventKind};
use orch_core::refusal::TreeRefusal;
use orch_core::run::Run;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::table::{attempt, worktree};

use super::hold::Taken;
use super::{branch_ref, decide, kept_ref, repository, run_row, salvage_ref};
use crate::world::git::{GitError, RefName, Repository};
use crate::world::process::processes_in;
use crate::{Error, Session};

/// Takes it away. One that is worked in, or holds what cannot be kept, stays where it is.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let Some(id) = taken.effect.attempt else { return Ok(()) };
    let found = session.read(|tx, _| {
        let run = run_row(tx, taken.effect.run)?;
        Ok(attempt::load(tx, id)?.zip(worktree::load(tx, id)?).map(|(attempt, tree)| (run, attempt, tree)))
    })?;
    let Some((run, attempt, tree)) =
        found.filter(|(_, attempt, tree)| !attempt.state.live() && tree.state == WorktreeState::Present)
    else {
        return decide(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    let gone = take_away(session, &run, &attempt, &tree);
    decide(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        let about =
            About { run: Some(run.id), task: Some(attempt.task), attempt: Some(id), thread: attempt.thread };
        match &gone {
            Ok(salvage) => {
                let current = worktree::load(stage.tx, id)?.unwrap_or_else(|| tree.clone());
                let removed = Worktree {
                    state: WorktreeState::Removed,
                    salvage: Some(salvage.as_str().to_owned()),
                    updated_at: stage.now,
                    ..current
                };
                worktree::save(stage.tx, &removed)?;
                let data = vec![("path", tree.path.as_str().into()), ("salvage", salvage.as_str().into())];
                stage.tell(EventKind::WorktreeRemoved, about, None, data)
            }
            Err(error) => {
                let reason = super::prepare::said(error);
                stage.tell(EventKind::Fault, about, None, vec![("reason", reason.into())])
            }
        }
    })?;
    gone.map(|_| ())
}

/// Keeps everything, removes the folder, and puts the branch away; returns the reference that keeps it.
fn take_away(session: &Session, run: &Run, attempt: &Attempt, tree: &Worktree) -> Result<RefName, Error> {
    let repository = repository(session, run)?;
    let (path, name) = (Path::new(&tree.path), &attempt.name);
    let reference = salvage_ref(name)?;
    if let Some(pid) = processes_in(path).first() {
        let problem = orch_core::refusal::TreeProblem::InProgress { operation: format!("process {pid}") };
        return Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem }.into());
    }
    let salvage = match repository.worktree(path) {
        Ok(found) => Some(found.salvage(&reference, &format!("orch: the worktree of {name}"))?),
        // Its folder is gone: an earlier try was cut off, or somebody else took it away.
        Err(GitError::NotAWorktree { .. }) => repository.find_salvage(&reference, path)?,
        Err(error) => return Err(error.into()),
    };
    if let Some(salvage) = &salvage {
        repository.remove_worktree(salvage)?;
    }
    put_away(&repository, &branch_ref(&tree.branch)?, &kept_ref(name)?)?;
    Ok(reference)
}

/// Moves a branch out of the way of people, to where it is kept.
fn put_away(repository: &Repository, branch: &RefName, kept: &RefName) -> Result<(), Error> {
    let Some(at) = repository.read_ref(branch)? else { return Ok(()) };
    match repository.create_ref(kept, &at) {
        Ok(()) => {}
        Err(GitError::RefExists { at: old, .. }) if old == at => {}
        Err(GitError::RefExists { at: old, .. }) => repository.compare_and_swap(kept, &at, &old)?,
        Err(error) => return Err(error.into()),
    }
    Ok(repository.delete_ref(branch, &at)?)
}
