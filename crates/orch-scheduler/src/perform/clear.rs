//! Removing the worktree of an ended attempt, after everything in it was salvaged; a damaged one is moved to the attic.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};

use orch_core::attempt::Attempt;
use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{ClearingMode, Effect, PendingEffect};
use orch_core::escape;
use orch_core::event::EventKind;
use orch_core::id::{AttemptId, AttemptName};
use orch_core::refusal::{Refusal, TreeProblem, TreeRefusal, UnsavedPart};
use orch_core::run::Run;
use orch_core::time::TimeSpan;
use orch_core::worker::Worker;
use orch_core::worktree::{DamagedWorktree, Worktree, WorktreeState, decide_removal};
use orch_store::Transaction;
use orch_store::table::{attempt, attic, worker, worktree};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::EffectLease;
use crate::unit_of_work::UnitOfWork;
use orch_git::{
    CommitId, FoundWorktree, GitError, RefName, Repository, SalvageRequest, UnsavedContent,
    canonicalize_existing, exists_at, is_folder_at, sweep_deleted_folders,
};
use orch_inbox::failure::is_transient;
use orch_inbox::liveness::{WrapperLiveness, wrapper_liveness};
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::processes_working_in;
use orch_workspace::run_repository::{
    branch_ref, find_attempt_worktree, kept_ref, open_repository, require_run_git, salvage_ref, to_commit_id,
};
use orch_workspace::worktree_pool::WorktreePool;

/// The folder beside the worktrees of a run that holds damaged ones.
const ATTIC: &str = "attic";

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
    /// The worker of the attempt, as far as one is known.
    pub worker: Option<Worker>,
}

impl ClearingAttempt {
    /// `None` where the attempt is live, or its worktree was removed already.
    fn load(tx: &mut Transaction<'_>, id: AttemptId, mode: ClearingMode) -> Result<Option<Self>, Error> {
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        if !matches!(decide_removal(&attempt, &tree, mode), Ok(true)) {
            return Ok(None);
        }
        let worker = match attempt.thread {
            Some(thread) => worker::load(tx, thread)?,
            None => None,
        };
        Ok(Some(Self { run: lookup::load_run(tx, attempt.run)?, attempt, tree, worker }))
    }

    /// The trailers of the commit that keeps its contents.
    fn salvage_trailers(&self) -> String {
        let trailers = CommitTrailers {
            attempts: vec![self.attempt.name.clone()],
            profile: self.worker.as_ref().and_then(|row| row.profile.clone()),
            checks: Some(self.attempt.checks),
            accepted_by: None,
        };
        trailers.lines(&self.run.rules)
    }
}

/// Runs `work`, which merges attempts one by one and passes each on to be cleared; clears their worktrees on other threads meanwhile.
///
/// Removing a worktree takes longer than a merge, and only the end of all waits for it.
/// What cannot be removed stays pending.
pub(super) fn clear_in_background(
    session: &mut Session,
    repository: &Repository,
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
                    let _ = clear_requested(&mut session, repository, requested, &clearing);
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
    repository: &Repository,
    requested: Option<PendingEffect>,
    clearing: &ClearingAttempt,
) -> Result<(), Error> {
    match requested.and_then(|requested| EffectLease::of_request(session, requested)) {
        Some(lease) => lease.perform(session, |session, lease| {
            clear_loaded(
                session,
                lease,
                clearing,
                ClearingWay { mode: ClearingMode::Park, repository: Some(repository) },
            )
        }),
        // Another thread or process may be clearing it.
        None => Ok(()),
    }
}

/// Performs a pending effect that clears a worktree.
pub(super) fn perform_clearing(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    match lease.effect {
        Effect::ClearWorktree { attempt, mode } => clear_worktree(session, lease, attempt, mode),
        _ => Ok(()),
    }
}

/// Removes the worktree of an attempt, or moves a damaged one to the attic.
/// One that a process works in, or whose contents cannot be saved, stays where it is.
pub(super) fn clear_worktree(
    session: &mut Session,
    lease: &EffectLease,
    id: AttemptId,
    mode: ClearingMode,
) -> Result<(), Error> {
    match session.read(|tx, _| ClearingAttempt::load(tx, id, mode))? {
        Some(clearing) => clear_loaded(session, lease, &clearing, ClearingWay { mode, repository: None }),
        None => lease.complete_alone(session),
    }
}

/// What happened to a worktree on the disk.
enum ClearedWorktree {
    /// It was removed, or kept as a spare; with the reference that keeps its contents.
    Removed(Option<RefName>),
    /// It is damaged, for this reason, and is at this path now.
    InAttic(PathBuf, String),
}

/// How a worktree is cleared.
#[derive(Clone, Copy)]
struct ClearingWay<'r> {
    mode: ClearingMode,
    /// Its repository, if it is open already.
    repository: Option<&'r Repository>,
}

fn clear_loaded(
    session: &mut Session,
    lease: &EffectLease,
    clearing: &ClearingAttempt,
    way: ClearingWay<'_>,
) -> Result<(), Error> {
    let mode = way.mode;
    let ClearingAttempt { attempt, worker, .. } = clearing;
    // A worker that has reported takes a moment to end; until then it may use the folder.
    let is_used = worker
        .as_ref()
        .is_some_and(|row| row.end.is_none() && matches!(wrapper_liveness(row), WrapperLiveness::Alive(_)));
    if mode == ClearingMode::Park && is_used {
        return Err(GitError::Busy.into());
    }
    let cleared = clear_on_disk(session, clearing, way);
    if cleared.as_ref().is_err_and(|error| is_retried(error, mode)) {
        // The effect stays pending, and its failure is recorded with it.
        return cleared.map(|_| ());
    }
    tool_transaction(session, |unit| {
        if !lease.complete(unit.tx)? {
            return Ok(());
        }
        match &cleared {
            Ok(cleared) => record_cleared(unit, clearing, cleared, mode),
            Err(error) => {
                let data = vec![("reason", error.describe().into())];
                unit.append_event(EventKind::Fault, attempt.event_subject(), None, data)
            }
        }
    })?;
    cleared.map(|_| ())
}

/// Whether a removal that failed is tried again by itself: every one that was not refused because of what it found.
///
/// A process that still works in a worktree which the tool removes is waited for as well.
fn is_retried(error: &Error, mode: ClearingMode) -> bool {
    match error {
        Error::Refused(Refusal::Tree(TreeRefusal::WorktreeConflict {
            problem: TreeProblem::InProgress { .. },
            ..
        })) => mode == ClearingMode::Park,
        Error::Refused(_) => false,
        Error::Git(_) | Error::File { .. } | Error::Store(_) | Error::TimedOut(_) | Error::Entropy(_) => true,
    }
}

fn record_cleared(
    unit: &mut UnitOfWork<'_, '_>,
    clearing: &ClearingAttempt,
    cleared: &ClearedWorktree,
    mode: ClearingMode,
) -> Result<(), Error> {
    let ClearingAttempt { run, attempt, tree, .. } = clearing;
    let current = worktree::load(unit.tx, attempt.id)?.unwrap_or_else(|| tree.clone());
    let mut data = vec![("path", tree.path.as_str().into())];
    let after = match cleared {
        ClearedWorktree::Removed(salvage) => {
            let salvage = salvage.as_ref().map(|salvage| salvage.as_str().to_owned());
            data.extend(salvage.as_deref().map(|salvage| ("salvage", salvage.into())));
            if current.state == WorktreeState::Attic {
                attic::delete(unit.tx, &current.path)?;
            }
            let salvage = salvage.or_else(|| current.salvage.clone());
            Worktree { state: WorktreeState::Removed, salvage, updated_at: unit.now, ..current }
        }
        ClearedWorktree::InAttic(path, reason) => {
            let path = path.display().to_string();
            data.extend([("attic", path.as_str().into()), ("reason", reason.as_str().into())]);
            let entry = DamagedWorktree {
                run: run.name.clone(),
                attempt: attempt.name.to_string(),
                path: path.clone(),
                repository: require_run_git(run)?.repository.clone(),
                reason: reason.clone(),
                moved_at: unit.now,
            };
            attic::insert(unit.tx, &entry)?;
            Worktree { state: WorktreeState::Attic, path, updated_at: unit.now, ..current }
        }
    };
    worktree::save(unit.tx, &after)?;
    if mode == ClearingMode::Park {
        // The run may have ended while its worktree was returned to the pool.
        let current = unit.load_run(run.id)?.clone();
        unit.request_sweep(&current)?;
    }
    unit.append_event(EventKind::WorktreeRemoved, attempt.event_subject(), None, data)
}

/// Salvages the contents, removes the folder or returns it to the pool, and archives the branch.
fn clear_on_disk(
    session: &mut Session,
    clearing: &ClearingAttempt,
    way: ClearingWay<'_>,
) -> Result<ClearedWorktree, Error> {
    let ClearingAttempt { run, attempt, tree, .. } = clearing;
    let mode = way.mode;
    let opened;
    let repository = match way.repository {
        Some(repository) => repository,
        None => {
            opened = open_repository(session, run)?;
            &opened
        }
    };
    let (path, name) = (Path::new(&tree.path), &attempt.name);
    if tree.state == WorktreeState::Attic {
        repository.delete_from_attic(path)?;
        return Ok(ClearedWorktree::Removed(None));
    }
    if tree.state == WorktreeState::Planned {
        repository.sweep_incomplete(path)?;
    }
    if let Some(pid) = if is_folder_at(path) { find_occupant(session, path)? } else { None } {
        let problem = TreeProblem::InProgress { operation: format!("process {pid}") };
        return Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem }.into());
    }
    let handed_over = match tree.continued_attempt(name) {
        Some(rejected) => find_attempt_worktree(repository, path, &rejected)?,
        None => None,
    };
    let is_ours = tree.state == WorktreeState::Present
        || handed_over.is_some()
        || find_attempt_worktree(repository, path, name)?.is_some();
    let mut flushed = None;
    let cleared = match repository.find_worktree(path)? {
        FoundWorktree::Intact(found) if is_ours => {
            match salvage_and_remove(repository, &found, clearing, mode) {
                // Git cannot tell what is in it, and the caller knows.
                Err(error @ Error::Git(_)) if mode == ClearingMode::Discard && !is_transient(&error) => {
                    let attic = free_attic_path(session, clearing)?;
                    repository.move_to_attic(path, &attic, &name.to_string())?;
                    repository.delete_from_attic(&attic)?;
                    ClearedWorktree::Removed(None)
                }
                removed => {
                    let removed = removed?;
                    flushed = removed.flushed;
                    ClearedWorktree::Removed(Some(removed.reference))
                }
            }
        }
        FoundWorktree::Damaged(reason) if is_ours => {
            let attic = free_attic_path(session, clearing)?;
            repository.move_to_attic(path, &attic, &name.to_string())?;
            if mode == ClearingMode::Discard {
                repository.delete_from_attic(&attic)?;
                ClearedWorktree::Removed(None)
            } else {
                ClearedWorktree::InAttic(attic, reason)
            }
        }
        // What is at the path of a worktree that was only planned was created by someone else.
        FoundWorktree::Intact(_) | FoundWorktree::Damaged(_) => ClearedWorktree::Removed(None),
        FoundWorktree::Missing => clear_missing(session, repository, clearing)?,
    };
    archive_branch(repository, name, tree, flushed.as_ref())?;
    archive_continued_branches(session, repository, clearing)?;
    Ok(cleared)
}

/// Archives the branches of the attempts from which the worktree was handed over.
fn archive_continued_branches(
    session: &mut Session,
    repository: &Repository,
    clearing: &ClearingAttempt,
) -> Result<(), Error> {
    let (mut tree, mut name) = (clearing.tree.clone(), clearing.attempt.name.clone());
    while let Some(rejected) = tree.continued_attempt(&name) {
        let found = session.query(|tx| {
            let attempt = attempt::load_by_number(tx, clearing.attempt.task, rejected.number)?;
            match attempt {
                Some(attempt) => Ok(worktree::load(tx, attempt.id)?),
                None => Ok(None),
            }
        })?;
        let Some(found) = found else { break };
        archive_branch(repository, &rejected, &found, None)?;
        (tree, name) = (found, rejected);
    }
    Ok(())
}

/// A worktree whose contents were salvaged before it was removed or returned to the pool.
struct SalvagedWorktree {
    /// The reference that keeps them.
    reference: RefName,
    /// The commit of its branch, if that was kept and flushed with them.
    flushed: Option<CommitId>,
}

/// Salvages the contents of a worktree, and removes it or returns it to the pool.
fn salvage_and_remove(
    repository: &Repository,
    found: &orch_git::Worktree<'_>,
    clearing: &ClearingAttempt,
    mode: ClearingMode,
) -> Result<SalvagedWorktree, Error> {
    let ClearingAttempt { run, attempt, tree, .. } = clearing;
    let (name, reference) = (&attempt.name, salvage_ref(&attempt.name)?);
    let subject = format!("orch: the worktree of {name}");
    // No worker has used one that was only planned.
    let is_unused = tree.state == WorktreeState::Planned && tree.continues.is_none();
    let kept = kept_ref(name)?;
    let tip = repository.read_ref(&branch_ref(&tree.branch)?)?;
    let tip = tip.map_or(Ok(None), |at| keeps_commit(tree, &at).map(|keeps| keeps.then_some(at)))?;
    let trailers = clearing.salvage_trailers();
    let request = SalvageRequest {
        trailers: &trailers,
        kept: tip.as_ref().map(|at| (&kept, at)),
        may_lose: mode == ClearingMode::Discard || is_unused,
        ..SalvageRequest::new(&reference, &subject)
    };
    let salvage = found.salvage(&request).map_err(|error| refuse_unsaved(error, attempt, tree))?;
    let flushed = match &tip {
        Some(at) if repository.read_ref(&kept)?.as_ref() == Some(at) => tip,
        _ => None,
    };
    let is_parked =
        mode == ClearingMode::Park && WorktreePool::new(repository, run)?.put_back(name, &salvage)?;
    if !is_parked {
        repository.remove_worktree(&salvage)?;
    }
    Ok(SalvagedWorktree { reference, flushed })
}

/// Refuses to remove a worktree with parts that cannot be saved.
fn refuse_unsaved(error: GitError, attempt: &Attempt, tree: &Worktree) -> Error {
    match error {
        GitError::Unsaved { path, contents } => {
            let parts = unsaved_parts(&path, &contents);
            let problem = TreeProblem::Unsaved { attempt: attempt.name.clone(), parts };
            TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem }.into()
        }
        other => other.into(),
    }
}

/// Describes what cannot be saved of a worktree, with paths relative to its top.
pub fn unsaved_parts(top: &Path, contents: &[UnsavedContent]) -> Vec<UnsavedPart> {
    let part = |content: &UnsavedContent| {
        let path = match content.path.strip_prefix(top) {
            Ok(inside) if inside.as_os_str().is_empty() => Path::new("."),
            Ok(inside) => inside,
            Err(_) => &content.path,
        };
        UnsavedPart { path: escape::path_text(path), problem: content.problem.to_string() }
    };
    contents.iter().map(part).collect()
}

/// Clears a worktree whose folder is missing: an earlier try was interrupted, or a person deleted it.
fn clear_missing(
    session: &mut Session,
    repository: &Repository,
    clearing: &ClearingAttempt,
) -> Result<ClearedWorktree, Error> {
    let ClearingAttempt { run, attempt, tree, .. } = clearing;
    let (path, name) = (Path::new(&tree.path), &attempt.name);
    let attic = free_attic_path(session, clearing)?;
    if tree.state == WorktreeState::Present && exists_at(&attic) {
        repository.move_to_attic(path, &attic, &name.to_string())?;
        return Ok(ClearedWorktree::InAttic(attic, "it was damaged".to_owned()));
    }
    WorktreePool::new(repository, run)?.discard(name)?;
    if let Some(folder) = path.parent() {
        // A folder that cannot be deleted only takes up space.
        let _ = sweep_deleted_folders(folder);
    }
    let reference = salvage_ref(name)?;
    match repository.find_salvage(&reference, path)? {
        Some(salvage) => {
            repository.remove_worktree(&salvage)?;
            Ok(ClearedWorktree::Removed(Some(reference)))
        }
        None => {
            repository.unregister_missing_worktree(path)?;
            Ok(ClearedWorktree::Removed(None))
        }
    }
}

/// Returns where a damaged worktree of the attempt is moved: a path that is not recorded, and that is free unless an
/// interrupted try has moved the worktree there.
fn free_attic_path(session: &mut Session, clearing: &ClearingAttempt) -> Result<PathBuf, Error> {
    let ClearingAttempt { run, attempt, tree, .. } = clearing;
    let folder = canonicalize_existing(Path::new(&require_run_git(run)?.root)).join(ATTIC);
    let name = format!("{}.{}", attempt.name.task.key, attempt.name.number);
    let is_there = exists_at(Path::new(&tree.path));
    let mut number = 1_u32;
    loop {
        let path = folder.join(if number == 1 { name.clone() } else { format!("{name}-{number}") });
        let text = path.display().to_string();
        let is_recorded = session.query(|tx| Ok(attic::load(tx, &text)?.is_some()))?;
        if !(is_recorded || is_there && exists_at(&path)) {
            return Ok(path);
        }
        number = number.saturating_add(1);
    }
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

/// Moves the attempt's branch to the reference that keeps it; `flushed` is the commit that it was flushed at.
/// A branch without commits is deleted, and one that is checked out stays.
fn archive_branch(
    repository: &Repository,
    name: &AttemptName,
    tree: &Worktree,
    flushed: Option<&CommitId>,
) -> Result<(), Error> {
    let (branch, kept) = (branch_ref(&tree.branch)?, kept_ref(name)?);
    let Some(at) = repository.read_ref(&branch)? else { return Ok(()) };
    if keeps_commit(tree, &at)? {
        match repository.read_ref(&kept)? {
            Some(old) if old == at => {}
            Some(old) => repository.compare_and_swap(&kept, &at, &old)?,
            None => repository.create_ref(&kept, &at)?,
        }
    }
    if repository.find_worktree_on_branch(&branch)?.is_none() {
        if flushed != Some(&at) {
            repository.flush()?;
        }
        repository.delete_ref(&branch, &at)?;
    }
    Ok(())
}

/// Whether the branch of an attempt is kept, where it is at this commit.
fn keeps_commit(tree: &Worktree, at: &CommitId) -> Result<bool, Error> {
    Ok(tree.state != WorktreeState::Planned || *at != to_commit_id(&tree.base)?)
}
