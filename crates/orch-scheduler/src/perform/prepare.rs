//! Creating an attempt's worktree, and sending the attempt's thread once the worktree is ready.

use std::path::Path;

use orch_core::attempt::state::AttemptEvent;
use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckStage, CheckState};
use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{ClearingMode, Effect, EffectKey, EffectKind};
use orch_core::escape;
use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{AttemptId, CommitHash, Slug};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{Run, RunStatus};
use orch_core::task::decide::{self, UnsuccessfulEnd};
use orch_core::task::{Task, TaskState, TaskText};
use orch_core::thread::condition::TreeCondition;
use orch_core::thread::{AttemptReference, NewThread, Thread, ThreadKind};
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, effect, task as task_table, thread, thread_condition, worktree};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::{EffectLease, complete_by};
use crate::perform::{clear, hand_over};
use crate::tool_fault::{clear_tool_faults, count_tool_fault};
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use orch_git::{
    CheckoutTarget, CommitId, GitError, MergeOutcome, RefName, Repository, SalvageRequest, WorktreeSpec,
};
use orch_inbox::send;
use orch_inbox::{Error, Session};
use orch_workspace::check_tree::{allowed_changes, copy_ignored_files, refuse_setup_changes};
use orch_workspace::checks;
use orch_workspace::checks::{CheckPlace, CheckSubject};
use orch_workspace::disk_space::require_disk_space;
use orch_workspace::run_repository::{
    branch_ref, find_attempt_worktree, open_repository, require_run_git, salvage_ref, to_commit_id,
};
use orch_workspace::work_message;
use orch_workspace::work_message::WorkPlace;
use orch_workspace::worktree_pool::WorktreePool;

/// An attempt whose worktree is to be created, with the facts that its thread is made of.
#[derive(Clone, Debug)]
pub(crate) struct PreparingAttempt {
    pub run: Run,
    pub task: Task,
    pub text: TaskText,
    pub attempt: Attempt,
    /// The checks that will judge the attempt.
    pub judged_by: AttemptText,
    pub tree: Worktree,
}

/// An attempt whose thread was sent.
pub(crate) struct SentAttempt {
    pub attempt: Attempt,
    pub tree: Worktree,
    pub thread: Thread,
}

impl PreparingAttempt {
    /// `None` where the attempt is no longer preparing.
    fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Self>, Error> {
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        if attempt.state != AttemptState::Preparing {
            return Ok(None);
        }
        Ok(Some(Self {
            run: lookup::load_run(tx, attempt.run)?,
            task: lookup::load_task(tx, attempt.task)?,
            text: task_table::load_text(tx, attempt.task)?,
            judged_by: attempt::load_text(tx, id)?,
            attempt,
            tree,
        }))
    }
}

/// Creates the worktree, runs the setup in it, and sends the thread.
pub(crate) fn prepare_worktree(
    session: &mut Session,
    lease: &EffectLease,
    id: AttemptId,
    lead: Option<&Slug>,
) -> Result<(), Error> {
    match session.read(|tx, _| PreparingAttempt::load(tx, id))? {
        Some(preparing) => {
            let on_failure = FailedPreparation::StaysPending;
            prepare_loaded(session, lease, &preparing, lead, on_failure).map(|_| ())
        }
        None => lease.complete_alone(session),
    }
}

/// Creates the worktree of an attempt whose facts are known; `None` where the attempt was ended meanwhile.
pub(crate) fn prepare_loaded(
    session: &mut Session,
    lease: &EffectLease,
    preparing: &PreparingAttempt,
    lead: Option<&Slug>,
    on_failure: FailedPreparation,
) -> Result<Option<SentAttempt>, Error> {
    let stays_pending = |error: &Error| on_failure == FailedPreparation::StaysPending && !ends_attempt(error);
    let (sent, failure) = match create_worktree(session, preparing) {
        Ok(ready) => (record_and_send(session, lease, (preparing, &ready), lead)?, None),
        Err(error) if stays_pending(&error) && is_still_preparing(session, preparing)? => return Err(error),
        Err(error) if abandon_preparation(session, lease, preparing, &error)? => return Err(error),
        Err(error) => (None, Some(error)),
    };
    if sent.is_none() {
        // The decision that ended the attempt asked for its worktree to be removed.
        let clear = EffectKey::of_attempt(EffectKind::Clear, preparing.run.id, preparing.attempt.id);
        let _ = complete_by(session, clear, clear::perform_clearing);
    }
    failure.map_or(Ok(sent), Err)
}

/// A worktree that is ready for its worker.
pub(super) struct ReadyWorktree {
    /// The commit from which its changes are counted.
    pub base: CommitHash,
    /// The files with conflicts that a merge has left in it.
    pub conflicts: Vec<String>,
}

/// What a failed preparation that may succeed later means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedPreparation {
    /// The attempt ends, so that the lead who sees the error may dispatch the task again.
    EndsAttempt,
    /// The operation stays pending, and is tried again.
    StaysPending,
}

/// Whether an error says that this attempt will never have its worktree; after any other one the operation is tried again.
fn ends_attempt(error: &Error) -> bool {
    matches!(
        error,
        Error::Refused(Refusal::Tree(TreeRefusal::ChecksFailed { .. }))
            | Error::Git(
                GitError::PathTaken(_)
                    | GitError::RefExists { .. }
                    | GitError::RefConflict { .. }
                    | GitError::CheckedOutElsewhere { .. }
                    | GitError::NeverClean { .. }
            )
    )
}

fn is_still_preparing(session: &mut Session, preparing: &PreparingAttempt) -> Result<bool, Error> {
    let id = preparing.attempt.id;
    session.query(|tx| {
        Ok(attempt::load(tx, id)?.is_some_and(|attempt| attempt.state == AttemptState::Preparing))
    })
}

/// Creates the worktree on the disk, new or from a spare, with the ignored files it needs, and runs the setup in it.
fn create_worktree(session: &mut Session, preparing: &PreparingAttempt) -> Result<ReadyWorktree, Error> {
    let PreparingAttempt { run, attempt, tree, .. } = preparing;
    let repository = open_repository(session, run)?;
    if let Some(ended) = tree.continued_attempt(&attempt.name) {
        require_disk_space(Path::new(&tree.path))?;
        return hand_over::take_over_worktree(session, &repository, preparing, &ended);
    }
    create_fresh_worktree(session, &repository, preparing)?;
    let conflicts = begin_conflicting_merge(&repository, preparing)?;
    Ok(ReadyWorktree { base: tree.base.clone(), conflicts })
}

/// Begins the merge whose conflict the task resolves; returns the files with conflicts.
///
/// A merge without conflicts is left to the worker.
fn begin_conflicting_merge(
    repository: &Repository,
    preparing: &PreparingAttempt,
) -> Result<Vec<String>, Error> {
    let Some(conflict) = &preparing.text.conflict else { return Ok(Vec::new()) };
    let (base, theirs) = (to_commit_id(&preparing.tree.base)?, to_commit_id(&conflict.commit)?);
    if repository.is_ancestor(&theirs, &base)?
        || matches!(repository.merge_trees(&base, &theirs)?, MergeOutcome::Merged { .. })
    {
        return Ok(Vec::new());
    }
    let worktree = repository.open_worktree(Path::new(&preparing.tree.path))?;
    let message = format!("Merge {} into {}", conflict.from, require_run_git(&preparing.run)?.branch);
    let files = worktree.merge_into_files(&theirs, &message)?;
    Ok(files.iter().map(|file| escape::path_text(file)).collect())
}

/// Creates a worktree from the attempt's base.
fn create_fresh_worktree(
    session: &Session,
    repository: &Repository,
    preparing: &PreparingAttempt,
) -> Result<(), Error> {
    let PreparingAttempt { run, attempt, tree, .. } = preparing;
    let path = Path::new(&tree.path);
    require_disk_space(path)?;
    let (commit, branch) = (to_commit_id(&tree.base)?, branch_ref(&tree.branch)?);
    let reason = attempt.name.to_string();
    let spec =
        WorktreeSpec { path, checkout: CheckoutTarget::Branch(&branch), commit: &commit, reason: &reason };
    let created = match WorktreePool::new(repository, run)?.acquire(&spec) {
        Ok(true) => Ok(()),
        Ok(false) => add_worktree(repository, &spec, preparing),
        Err(error) => Err(error),
    };
    if let Err(error) = created {
        delete_unused_branch(repository, &branch, &commit);
        return Err(error);
    }
    let worktree = repository.open_worktree(path)?;
    let copied = copy_ignored_files(repository, &worktree, &run.rules.copy)?.copied;
    let Some(setup) = &run.rules.setup else {
        if copied.is_empty() {
            return Ok(worktree.forget_excluded_files()?);
        }
        return Ok(worktree.exclude_untracked_files(&copied)?);
    };
    let subject = CheckSubject {
        run,
        attempt: Some((attempt.id, &attempt.name)),
        slot: tree.slot,
        stage: CheckStage::Attempt,
        commit: &tree.base,
        stop: None,
    };
    let logs = checks::log_folder(session, run, Some(&attempt.name));
    let place = CheckPlace { folder: worktree.top_level(), logs: &logs };
    let mut ran = checks::run_setup_in(session, &subject, place, setup);
    if ran.check.state == CheckState::Passed {
        // What the setup wrote is no work of the attempt.
        let restored = worktree.restore_tracked_files(&commit, allowed_changes(run));
        match refuse_setup_changes(restored, ran)? {
            None => {
                worktree.record_setup_repositories()?;
                return Ok(worktree.exclude_untracked_files(&copied)?);
            }
            Some(refused) => ran = refused,
        }
    }
    remove_unsent_worktree(repository, preparing)?;
    let failed = vec![checks::failed_check(run, &ran.check)];
    Err(TreeRefusal::ChecksFailed { subject: attempt.name.to_string(), checks: failed }.into())
}

/// Adds the worktree; one that an interrupted preparation has left is removed first, because no worker has used it.
fn add_worktree(
    repository: &Repository,
    spec: &WorktreeSpec<'_>,
    preparing: &PreparingAttempt,
) -> Result<(), Error> {
    match repository.add_worktree(spec) {
        Ok(_) => Ok(()),
        Err(GitError::PathTaken { .. })
            if find_attempt_worktree(repository, spec.path, &preparing.attempt.name)?.is_some() =>
        {
            remove_unsent_worktree(repository, preparing)?;
            repository.add_worktree(spec)?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Deletes a branch that was created for a worktree that could not be added.
fn delete_unused_branch(repository: &Repository, branch: &RefName, at: &CommitId) {
    // `reconcile` reports a branch that cannot be deleted; the error that led here is the one to return.
    if matches!(repository.find_worktree_on_branch(branch), Ok(None))
        && matches!(repository.read_ref(branch), Ok(Some(found)) if found == *at)
    {
        let _ = repository.delete_ref(branch, at);
    }
}

/// Removes the worktree of an attempt whose thread was never sent; what the setup left in it is salvaged.
fn remove_unsent_worktree(repository: &Repository, preparing: &PreparingAttempt) -> Result<(), Error> {
    let (name, tree) = (&preparing.attempt.name, &preparing.tree);
    let worktree = repository.open_worktree(Path::new(&tree.path))?;
    let message = format!("orch: {name} as its setup left it");
    let trailers = CommitTrailers { attempts: vec![name.clone()], ..CommitTrailers::default() };
    let (reference, trailers) = (salvage_ref(name)?, trailers.lines(&preparing.run.rules));
    let request =
        SalvageRequest { trailers: &trailers, may_lose: true, ..SalvageRequest::new(&reference, &message) };
    let salvage = worktree.salvage(&request)?;
    repository.remove_worktree(&salvage)?;
    repository.delete_ref(&branch_ref(&tree.branch)?, &to_commit_id(&tree.base)?)?;
    Ok(())
}

/// Removes what git has made of a worktree that is given up, and returns what is true of it then.
/// What cannot be removed now is recorded as present, so that it is removed later.
fn remove_given_up(session: &Session, preparing: &PreparingAttempt) -> WorktreeState {
    let remove = || -> Result<(), Error> {
        let repository = open_repository(session, &preparing.run)?;
        let (path, name) = (Path::new(&preparing.tree.path), &preparing.attempt.name);
        repository.sweep_incomplete(path)?;
        if preparing.tree.continues.is_some() {
            // It has the work of the attempt that it continues, and is removed as any other with work.
            return Err(GitError::PathTaken(path.to_owned()).into());
        }
        if find_attempt_worktree(&repository, path, name)?.is_some() {
            remove_unsent_worktree(&repository, preparing)?;
        }
        Ok(())
    };
    match remove() {
        Ok(()) => WorktreeState::Removed,
        Err(_) => WorktreeState::Present,
    }
}

/// Records the worktree and sends the thread; `None` where the attempt was ended meanwhile.
fn record_and_send(
    session: &mut Session,
    lease: &EffectLease,
    (preparing, ready): (&PreparingAttempt, &ReadyWorktree),
    lead: Option<&Slug>,
) -> Result<Option<SentAttempt>, Error> {
    tool_transaction(session, |unit| {
        // Every decision that ends a preparing attempt withdraws the effect.
        if !lease.complete(unit.tx)? {
            return Ok(None);
        }
        let (base, updated_at) = (ready.base.clone(), unit.now);
        let tree = Worktree { state: WorktreeState::Present, base, updated_at, ..preparing.tree.clone() };
        worktree::save(unit.tx, &tree)?;
        let thread = send_work(unit, preparing, lead, (&tree, &ready.conflicts))?;
        let mut sent = decide::apply_attempt_event(&preparing.attempt, AttemptEvent::Send, unit.now);
        sent.thread = Some(thread.id);
        attempt::save(unit.tx, &sent)?;
        clear_tool_faults(unit, sent.run)?;
        let data = vec![("path", tree.path.as_str().into())];
        unit.append_event(EventKind::Prepared, sent.event_subject(), None, data)?;
        Ok(Some(SentAttempt { attempt: sent, tree, thread }))
    })
}

/// Sends the attempt's thread with the condition on its worktree; in a paused run it is not offered yet.
fn send_work(
    unit: &mut UnitOfWork<'_, '_>,
    preparing: &PreparingAttempt,
    lead: Option<&Slug>,
    (tree, conflicts): (&Worktree, &[String]),
) -> Result<Thread, Error> {
    let PreparingAttempt { task, text, attempt, judged_by, .. } = preparing;
    let work = work_message::write_work_message(
        unit.tx,
        task,
        text,
        judged_by,
        &attempt.name,
        WorkPlace::Worktree { tree, conflicts },
    )?;
    let run = unit.load_run(attempt.run)?;
    let (policy, is_paused) = (run.policy.clone(), run.state.status() == RunStatus::Paused);
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: task.title.clone(),
        from: lead.cloned().unwrap_or_else(|| Slug::from_stored("lead".to_owned())),
        to: attempt.agent.clone(),
        priority: task.priority,
        lease_length: policy.lease,
        answer_after: policy.answer_after,
        reference: Some(AttemptReference { run: attempt.run, task: task.id, attempt: attempt.id }),
    };
    let (thread, _, sent) =
        send::begin_unrecorded_thread(unit.tx, head, work.body, Some(work.payload), unit.now)?;
    unit.queue_event(sent);
    let condition = TreeCondition {
        tree: tree.path.clone(),
        branch: tree.branch.clone(),
        base: tree.base.clone(),
        needs_commit: !task.allow_empty,
        merges: text.conflict.as_ref().map(|conflict| conflict.commit.clone()),
    };
    thread_condition::insert(unit.tx, thread.id, &condition)?;
    if is_paused {
        thread::save(unit.tx, &Thread { withdrawn: true, ..thread.clone() }, false)?;
    }
    Ok(thread)
}

/// Ends the attempt without using up a try; several such faults in a row pause the run.
/// `false` where the attempt was ended meanwhile.
fn abandon_preparation(
    session: &mut Session,
    lease: &EffectLease,
    preparing: &PreparingAttempt,
    error: &Error,
) -> Result<bool, Error> {
    let reason = error.describe();
    let state = remove_given_up(session, preparing);
    let salvage = find_setup_salvage(session, preparing);
    tool_transaction(session, |unit| {
        if !lease.complete(unit.tx)? {
            return Ok(false);
        }
        let tree =
            Worktree { state, salvage: salvage.clone(), updated_at: unit.now, ..preparing.tree.clone() };
        worktree::save(unit.tx, &tree)?;
        end_unprepared(unit, &preparing.attempt, &reason)?;
        Ok(true)
    })
}

/// Ends an attempt whose worktree cannot be prepared; the task is tried again later, unless that has happened too often.
fn end_unprepared(unit: &mut UnitOfWork<'_, '_>, attempt: &Attempt, reason: &str) -> Result<(), Error> {
    let mut ended = decide::apply_attempt_event(attempt, AttemptEvent::Fail, unit.now);
    ended.reason = Some(reason.to_owned());
    attempt::save(unit.tx, &ended)?;
    let before = lookup::load_task(unit.tx, ended.task)?;
    let (faults, _) = count_tool_fault(unit, ended.run, reason)?;
    let run = unit.load_run(ended.run)?.clone();
    let end = UnsuccessfulEnd::Unprepared(faults);
    let after = decide::end_attempt(&before, end, &run.policy, run.state.status(), unit.now);
    let kind = if after.state == TaskState::Failed { EventKind::Failed } else { EventKind::Fault };
    let mut data: Vec<(&'static str, EventDatum)> = vec![("reason", reason.into())];
    if let (TaskState::Ready, Some(until)) = (after.state, after.not_before) {
        data.push(("retry_in_ms", (until - unit.now).0.max(0).into()));
    }
    let event =
        TransitionEvent { data, ..TransitionEvent::without_data(kind, "its worktree could not be prepared") };
    unit.apply_transition(&before, &after, event)
}

/// Gives up preparing a worktree after the operation was stuck too often: the task fails, and what was created is removed.
pub(super) fn give_up_preparation(
    unit: &mut UnitOfWork<'_, '_>,
    attempt: &Attempt,
    reason: &str,
) -> Result<(), Error> {
    effect::withdraw_effect(unit.tx, EffectKey::of_attempt(EffectKind::Prepare, attempt.run, attempt.id))?;
    effect::insert(
        unit.tx,
        attempt.run,
        &Effect::ClearWorktree { attempt: attempt.id, mode: ClearingMode::Remove },
        unit.now,
    )?;
    end_unprepared(unit, attempt, reason)
}

/// The reference that keeps what a failed setup left.
fn find_setup_salvage(session: &Session, preparing: &PreparingAttempt) -> Option<String> {
    let repository = open_repository(session, &preparing.run).ok()?;
    let reference = salvage_ref(&preparing.attempt.name).ok()?;
    repository.read_ref(&reference).ok()?.map(|_| reference.as_str().to_owned())
}
