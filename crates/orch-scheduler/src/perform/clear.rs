//! Removing the worktree of an ended attempt, after everything in it was salvaged.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};

use orch_core::attempt::Attempt;
use orch_core::effect::{Effect, PendingEffect};
use orch_core::event::EventKind;
use orch_core::id::AttemptId;
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::time::TimeSpan;
use orch_core::worker::Worker;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, worker, worktree};

use super::effect_lease::EffectLease;
use crate::lookup;
use crate::operation::tool_transaction;
use crate::run_repository::{
    branch_ref, find_attempt_worktree, kept_ref, open_repository, salvage_ref, to_commit_id,
};
use crate::worktree_pool::WorktreePool;
use orch_git::{GitError, RefName, Repository, Salvage, sweep_deleted_folders};
use orch_inbox::liveness::{WrapperLiveness, wrapper_liveness};
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::processes_working_in;

/// How many worktrees are removed at the same time, however many processors there are: they share one repository's locks.
const THREADS_MAX: usize = 4;

/// How long a process that works in the worktree may take to leave it: a git command whose parent was killed, or one that the worker is still ending.
const LEAVING_MAX: TimeSpan = TimeSpan::from_seconds(1);

/// How often the processes in the worktree are listed meanwhile.
const POLL_INTERVAL: TimeSpan = TimeSpan(20);

/// An ended attempt whose worktree is to be removed.
#[derive(Clone, Debug)]
pub(crate) struct ClearingAttempt {
    pub run: Run,
    pub attempt: Attempt,
    pub tree: Worktree,
    /// The worker that may still use the worktree, as far as one is known.
    pub worker: Option<Worker>,
}

impl ClearingAttempt {
    /// `None` where the attempt is live, or its worktree was removed already.
    fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Self>, Error> {
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        if attempt.state.is_live() || tree.state == WorktreeState::Removed {
            return Ok(None);
        }
        let worker = Self::load_worker(tx, &attempt)?;
        Ok(Some(Self { run: lookup::load_run(tx, attempt.run)?, attempt, tree, worker }))
    }

    /// The worker of an attempt, unless it has ended.
    pub(crate) fn load_worker(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<Option<Worker>, Error> {
        let Some(thread) = attempt.thread else { return Ok(None) };
        Ok(worker::load(tx, thread)?.filter(|row| row.end.is_none()))
    }
}

/// Runs `work`, which merges attempts one by one and passes each on to be cleared; clears their worktrees on other threads meanwhile.
///
/// Removing a worktree takes longer than a merge, and only the end of all waits for it.
/// What cannot be removed stays pending.
pub(super) fn clear_in_background(
    session: &mut Session,
    work: impl FnOnce(&mut Session, &mut dyn FnMut(Option<PendingEffect>, ClearingAttempt)) -> Result<(), Error>,
) -> Result<(), Error> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(THREADS_MAX);
    let (sender, receiver) = channel::<(Option<PendingEffect>, ClearingAttempt)>();
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let sessions: Vec<Session> = (0..threads).filter_map(|_| session.open_connection().ok()).collect();
    std::thread::scope(|scope| {
        for mut session in sessions {
            scope.spawn(move || {
                while let Ok((requested, clearing)) = next() {
                    let _ = clear_requested(&mut session, requested, &clearing);
                }
            });
        }
        // Dropped when `work` has ended, however it ends, which ends the threads after the last attempt.
        let sender = sender;
        work(session, &mut |requested, clearing| {
            let _ = sender.send((requested, clearing));
        })
    })
}

fn clear_requested(
    session: &mut Session,
    requested: Option<PendingEffect>,
    clearing: &ClearingAttempt,
) -> Result<(), Error> {
    match requested.and_then(|requested| EffectLease::of_request(session, requested)) {
        Some(lease) => lease.perform(session, |session, lease| clear_loaded(session, lease, clearing, true)),
        // Another thread or process may be clearing it.
        None => Ok(()),
    }
}

/// Performs a pending effect that clears a worktree.
pub(super) fn perform_clearing(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    match lease.effect {
        Effect::ClearWorktree { attempt, park } => clear_worktree(session, lease, attempt, park),
        _ => Ok(()),
    }
}

/// Removes the worktree of an attempt.
/// One that a process works in, or whose contents cannot be salvaged, stays where it is.
pub(super) fn clear_worktree(
    session: &mut Session,
    lease: &EffectLease,
    id: AttemptId,
    park: bool,
) -> Result<(), Error> {
    match session.read(|tx, _| ClearingAttempt::load(tx, id))? {
        Some(clearing) => clear_loaded(session, lease, &clearing, park),
        None => lease.complete_alone(session),
    }
}

fn clear_loaded(
    session: &mut Session,
    lease: &EffectLease,
    clearing: &ClearingAttempt,
    park: bool,
) -> Result<(), Error> {
    let ClearingAttempt { run, attempt, tree, worker } = clearing;
    // A worker that has reported takes a moment to end; until then it may use the folder.
    let is_used =
        worker.as_ref().is_some_and(|row| matches!(wrapper_liveness(row), WrapperLiveness::Alive(_)));
    if park && is_used {
        return Err(GitError::Busy.into());
    }
    let removed = salvage_and_remove(session, run, attempt, tree, park);
    if matches!(&removed, Err(Error::Git(GitError::Busy))) {
        // A process is using it; the effect stays pending.
        return removed.map(|_| ());
    }
    tool_transaction(session, |unit| {
        if !lease.complete(unit.tx)? {
            return Ok(());
        }
        let about = attempt.event_subject();
        match &removed {
            Ok(salvage) => {
                let salvage = salvage.as_ref().map(|salvage| salvage.as_str().to_owned());
                let mut data = vec![("path", tree.path.as_str().into())];
                data.extend(salvage.as_deref().map(|salvage| ("salvage", salvage.into())));
                let current = worktree::load(unit.tx, attempt.id)?.unwrap_or_else(|| tree.clone());
                let removed = Worktree {
                    state: WorktreeState::Removed,
                    salvage: salvage.or_else(|| current.salvage.clone()),
                    updated_at: unit.now,
                    ..current
                };
                worktree::save(unit.tx, &removed)?;
                if park {
                    // The run may have ended while its worktree was returned to the pool.
                    let current = unit.load_run(run.id)?.clone();
                    unit.request_sweep(&current)?;
                }
                unit.append_event(EventKind::WorktreeRemoved, about, None, data)
            }
            Err(error) => {
                let data = vec![("reason", error.describe().into())];
                unit.append_event(EventKind::Fault, about, None, data)
            }
        }
    })?;
    removed.map(|_| ())
}

/// Salvages the contents, removes the folder or returns it to the pool, and archives the branch.
/// Returns the reference that keeps the contents.
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
    let pool = WorktreePool::new(&repository, run)?;
    if path.symlink_metadata().is_err() {
        pool.discard(name)?;
    }
    let reference = salvage_ref(name)?;
    let salvage = salvage_worktree(&repository, &reference, attempt, tree)?;
    match &salvage {
        Some(salvage) if park && pool.put_back(name, salvage)? => {}
        Some(salvage) => {
            repository.remove_worktree(salvage)?;
        }
        None => repository.unregister_missing_worktree(path)?,
    }
    archive_branch(&repository, attempt, tree)?;
    Ok(salvage.map(|_| reference))
}

/// A process that works in this folder and does not leave it.
fn find_occupant(session: &mut Session, path: &Path) -> Result<Option<u32>, Error> {
    let mut occupant = None;
    wait_until(session, LEAVING_MAX, |session| {
        occupant = processes_working_in(path).first().copied();
        Ok(match occupant {
            None => PollOutcome::Found(()),
            Some(_) => PollOutcome::NotYet(Some(session.clock_now() + POLL_INTERVAL)),
        })
    })?;
    Ok(occupant)
}

/// Salvages the contents of the worktree; where its folder is missing, finds the salvage of an earlier try.
fn salvage_worktree(
    repository: &Repository,
    reference: &RefName,
    attempt: &Attempt,
    tree: &Worktree,
) -> Result<Option<Salvage>, Error> {
    let (path, name) = (Path::new(&tree.path), &attempt.name);
    match repository.open_worktree(path) {
        // A worktree that was only planned was created by someone else.
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
        // The folder is missing: an earlier try was interrupted, or a person deleted it.
        Err(GitError::NotAWorktree { .. }) => {
            if let Some(folder) = path.parent() {
                // A folder that cannot be deleted only takes up space.
                let _ = sweep_deleted_folders(folder);
            }
            Ok(repository.find_salvage(reference, path)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Moves the attempt's branch to the reference that keeps it.
/// A branch without commits is deleted, and one that is checked out stays.
fn archive_branch(repository: &Repository, attempt: &Attempt, tree: &Worktree) -> Result<(), Error> {
    let (branch, kept) = (branch_ref(&tree.branch)?, kept_ref(&attempt.name)?);
    let Some(at) = repository.read_ref(&branch)? else { return Ok(()) };
    if tree.state != WorktreeState::Planned || at != to_commit_id(&tree.base)? {
        match repository.create_ref(&kept, &at) {
            Ok(()) => {}
            Err(GitError::RefExists { at: old, .. }) if old == at => {}
            Err(GitError::RefExists { at: old, .. }) => repository.compare_and_swap(&kept, &at, &old)?,
            Err(error) => return Err(error.into()),
        }
    }
    if repository.find_worktree_on_branch(&branch)?.is_none() {
        repository.flush()?;
        repository.delete_ref(&branch, &at)?;
    }
    Ok(())
}
