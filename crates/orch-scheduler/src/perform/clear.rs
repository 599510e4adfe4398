//! Taking the worktree of an ended attempt away, after everything in it was kept.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};

use orch_core::attempt::Attempt;
use orch_core::effect::EffectKind;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{AttemptId, RunId};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::time::TimeSpan;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::table::{attempt, worktree};

use super::effect_lease::EffectLease;
use super::{
    branch_ref, complete_effect, find_attempt_worktree, kept_ref, load_run, open_repository, salvage_ref,
    spare, to_commit_id, tool_transaction,
};
use orch_git::{GitError, RefName, Repository, Salvage, sweep_deleted_folders};
use orch_inbox::liveness;
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::processes_working_in;

/// How many worktrees are taken away at once, however many processors there are: they share one repository's locks.
const AT_ONCE_MAX: usize = 4;

/// How long what is at work in a worktree has to leave it: the git command that somebody killed has left behind, or
/// what a worker is still ending.
const LEAVING_MAX: TimeSpan = TimeSpan::from_seconds(1);

/// How often to look whether it has left.
const LOOK_AGAIN: TimeSpan = TimeSpan(20);

/// What is written down where the worktree may serve the run's next attempt.
pub(crate) const PARK: &str = "park";

/// Does something that ends attempts one by one, and takes the worktree of each away beside it, as many at once as there
/// are processors: that takes longer than a merge, and nobody waits for it but the end of all.
///
/// What cannot be taken away stays asked for.
pub(super) fn clear_in_background(
    session: &mut Session,
    run: RunId,
    work: impl FnOnce(&mut Session, &mut dyn FnMut(AttemptId)) -> Result<(), Error>,
) -> Result<(), Error> {
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).min(AT_ONCE_MAX);
    let (tell, ended) = channel();
    let ended = Mutex::new(ended);
    let next = || ended.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let others: Vec<Session> = (0..at_once).filter_map(|_| session.open_connection().ok()).collect();
    std::thread::scope(|scope| {
        for mut session in others {
            scope.spawn(move || {
                while let Ok(attempt) = next() {
                    let _ = complete_effect(&mut session, EffectKind::Clear, run, Some(attempt));
                }
            });
        }
        // Its end, however it ends, is theirs once they have done what was told.
        let tell = tell;
        work(session, &mut |attempt| {
            let _ = tell.send(attempt);
        })
    })
}

/// Takes it away. One that is worked in, or holds what cannot be kept, stays where it is.
pub(crate) fn clear_worktree(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let Some(id) = taken.effect.attempt else { return Ok(()) };
    let found = session.read(|tx, _| {
        let run = load_run(tx, taken.effect.run)?;
        Ok(attempt::load(tx, id)?.zip(worktree::load(tx, id)?).map(|(attempt, tree)| (run, attempt, tree)))
    })?;
    let Some((run, attempt, tree)) =
        found.filter(|(_, attempt, tree)| !attempt.state.is_live() && tree.state != WorktreeState::Removed)
    else {
        return tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    let park = taken.effect.intent.as_deref() == Some(PARK);
    // A worker that has reported takes a moment to end; until then the folder is its own.
    let is_used = match attempt.thread.filter(|_| park) {
        Some(thread) => session.read(|tx, _| liveness::has_live_wrapper(tx, thread))?,
        None => false,
    };
    let gone = if is_used {
        Err(GitError::Busy.into())
    } else {
        salvage_and_remove(session, &run, &attempt, &tree, park)
    };
    if matches!(&gone, Err(Error::Git(GitError::Busy))) {
        // Somebody is at it just now; it stays to be done.
        return gone.map(|_| ());
    }
    tool_transaction(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        let about = EventSubject {
            run: Some(run.id),
            task: Some(attempt.task),
            attempt: Some(id),
            thread: attempt.thread,
        };
        match &gone {
            Ok(salvage) => {
                let current = worktree::load(stage.tx, id)?.unwrap_or_else(|| tree.clone());
                let salvage = salvage.as_ref().map(|salvage| salvage.as_str().to_owned());
                let mut data = vec![("path", tree.path.as_str().into())];
                data.extend(salvage.as_deref().map(|salvage| ("salvage", salvage.into())));
                let removed = Worktree {
                    state: WorktreeState::Removed,
                    salvage: salvage.or_else(|| current.salvage.clone()),
                    updated_at: stage.now,
                    ..current
                };
                worktree::save(stage.tx, &removed)?;
                if park {
                    // The run may have ended while its worktree was put aside for it.
                    let current = stage.load_run(run.id)?.clone();
                    stage.request_sweep(&current)?;
                }
                stage.append_event(EventKind::WorktreeRemoved, about, None, data)
            }
            Err(error) => {
                let reason = super::prepare::describe_error(error);
                stage.append_event(EventKind::Fault, about, None, vec![("reason", reason.into())])
            }
        }
    })?;
    gone.map(|_| ())
}

/// Keeps everything, removes the folder or puts it aside for the next attempt, and puts the branch away.
/// Returns the reference that keeps what was there.
fn salvage_and_remove(
    session: &mut Session,
    run: &Run,
    attempt: &Attempt,
    tree: &Worktree,
    park: bool,
) -> Result<Option<RefName>, Error> {
    let repository = open_repository(session, run)?;
    let (path, name) = (Path::new(&tree.path), &attempt.name);
    if tree.state == WorktreeState::Planned {
        repository.sweep_incomplete(path)?;
    }
    if let Some(pid) = find_occupant(session, path)? {
        let problem = TreeProblem::InProgress { operation: format!("process {pid}") };
        return Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem }.into());
    }
    let reference = salvage_ref(name)?;
    if path.symlink_metadata().is_err() {
        spare::remove_half_parked(&repository, run, name)?;
    }
    let salvage = salvage_worktree(&repository, &reference, attempt, tree)?;
    match &salvage {
        Some(salvage) => {
            let is_parked = park && spare::park_spare(&repository, run, name, salvage)?;
            if !is_parked {
                repository.remove_worktree(salvage)?;
            }
        }
        None => repository.unregister_missing_worktree(path)?,
    }
    archive_branch(&repository, attempt, tree)?;
    Ok(salvage.map(|_| reference))
}

/// A process that works in this folder and does not leave it.
fn find_occupant(session: &mut Session, path: &Path) -> Result<Option<u32>, Error> {
    let mut stays = None;
    wait_until(session, LEAVING_MAX, |session| {
        stays = processes_working_in(path).first().copied();
        Ok(match stays {
            None => PollOutcome::Found(()),
            Some(_) => PollOutcome::NotYet(Some(session.clock_now() + LOOK_AGAIN)),
        })
    })?;
    Ok(stays)
}

/// Keeps what is in the worktree; where it is gone, finds what an earlier try has kept.
fn salvage_worktree(
    repository: &Repository,
    reference: &RefName,
    attempt: &Attempt,
    tree: &Worktree,
) -> Result<Option<Salvage>, Error> {
    let (path, name) = (Path::new(&tree.path), &attempt.name);
    match repository.open_worktree(path) {
        // What lies where a worktree was only planned is somebody else's.
        Ok(_)
            if tree.state == WorktreeState::Planned
                && find_attempt_worktree(repository, path, name)?.is_none() =>
        {
            Ok(None)
        }
        Ok(found) => Ok(Some(found.salvage_to_ref(reference, &format!("orch: the worktree of {name}"))?)),
        Err(GitError::NotAWorktree { .. })
            if tree.state == WorktreeState::Present && path.symlink_metadata().is_ok() =>
        {
            let problem = TreeProblem::Gone;
            Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem }.into())
        }
        // Its folder is gone: an earlier try was cut off, or somebody else took it away.
        Err(GitError::NotAWorktree { .. }) => {
            if let Some(folder) = path.parent() {
                // What cannot be deleted costs room and nothing else.
                let _ = sweep_deleted_folders(folder);
            }
            Ok(repository.find_salvage(reference, path)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Moves a branch out of the way of people, to where it is kept. One that holds nothing is deleted, and one that
/// somebody has checked out stays.
fn archive_branch(repository: &Repository, attempt: &Attempt, tree: &Worktree) -> Result<(), Error> {
    let (branch, kept) = (branch_ref(&tree.branch)?, kept_ref(&attempt.name)?);
    let Some(at) = repository.read_ref(&branch)? else { return Ok(()) };
    let is_checked_out = repository.find_worktree_on_branch(&branch)?.is_some();
    if tree.state == WorktreeState::Planned && at == to_commit_id(&tree.base)? {
        return if is_checked_out { Ok(()) } else { Ok(repository.delete_ref(&branch, &at)?) };
    }
    match repository.create_ref(&kept, &at) {
        Ok(()) => {}
        Err(GitError::RefExists { at: old, .. }) if old == at => {}
        Err(GitError::RefExists { at: old, .. }) => repository.compare_and_swap(&kept, &at, &old)?,
        Err(error) => return Err(error.into()),
    }
    if is_checked_out { Ok(()) } else { Ok(repository.delete_ref(&branch, &at)?) }
}
