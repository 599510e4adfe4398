//! Making an attempt's worktree, and sending its work once the tree is there.

use std::path::Path;

use orch_core::attempt::state::AttemptEvent;
use orch_core::attempt::{Attempt, AttemptState};
use orch_core::check::{CheckSource, CheckStage};
use orch_core::effect::EffectKind;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::Slug;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{Run, RunStatus, decide as run_decide};
use orch_core::task::Task;
use orch_core::task::decide::{self, UnsuccessfulEnd};
use orch_core::thread::condition::TreeCondition;
use orch_core::thread::{AttemptReference, NewThread, Thread, ThreadKind};
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::table::{attempt, task as task_table, thread, thread_condition, worktree};

use super::checks::{self, CheckSpec, CheckSubject};
use super::effect_lease::EffectLease;
use super::{
    branch_ref, complete_effect, find_attempt_worktree, load_run, open_repository, salvage_ref, spare,
    to_commit_id, tool_transaction,
};
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use crate::{lookup, work_message};
use orch_git::{CheckoutTarget, CommitId, GitError, RefName, Repository, WorktreeSpec};
use orch_inbox::send;
use orch_inbox::{Error, Session};
use orch_process::disk;
use orch_process::limit::DISK_FLOOR_BYTES;

/// All that is known of the attempt whose tree is wanted.
struct PreparationTarget {
    run: Run,
    /// The lead who dispatched it, whom its worker reports to.
    lead: Slug,
    attempt: Attempt,
    tree: Worktree,
}

impl PreparationTarget {
    fn load(session: &mut Session, taken: &EffectLease) -> Result<Option<Self>, Error> {
        let Some(id) = taken.effect.attempt else { return Ok(None) };
        session.read(|tx, _| {
            let run = load_run(tx, taken.effect.run)?;
            let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
                return Ok(None);
            };
            let lead = taken.effect.intent.clone().unwrap_or_else(|| "lead".to_owned());
            Ok(Some(Self { run, lead: Slug::from_stored(lead), attempt, tree }))
        })
    }
}

/// Makes the worktree, prepares it, and sends the work.
pub(crate) fn prepare_worktree(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let Some(wanted) = PreparationTarget::load(session, taken)? else {
        return tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    if wanted.attempt.state != AttemptState::Preparing {
        return tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()));
    }
    let id = wanted.attempt.id;
    let made = make_worktree(session, &wanted);
    let is_told = match &made {
        Ok(()) => record_and_send_work(session, taken, &wanted)?,
        Err(error) => abandon_preparation(session, taken, &wanted, error)?,
    };
    if !is_told {
        // The attempt was ended meanwhile, and whoever ended it asked for its tree to be taken away.
        let _ = complete_effect(session, EffectKind::Clear, wanted.run.id, Some(id));
    }
    made
}

/// The tree on the disk: made or used again, with the files it needs and the setup run in it.
fn make_worktree(session: &Session, wanted: &PreparationTarget) -> Result<(), Error> {
    let repository = open_repository(session, &wanted.run)?;
    let path = Path::new(&wanted.tree.path);
    require_disk_space(path)?;
    let (commit, branch) = (to_commit_id(&wanted.tree.base)?, branch_ref(&wanted.tree.branch)?);
    let reason = wanted.attempt.name.to_string();
    let addition =
        WorktreeSpec { path, checkout: CheckoutTarget::Branch(&branch), commit: &commit, reason: &reason };
    let made = spare::reuse_spare(&repository, &wanted.run, &addition)
        .and_then(|is_made| if is_made { Ok(()) } else { add_worktree(&repository, &addition, wanted) });
    if let Err(error) = made {
        delete_unused_branch(&repository, &branch, &commit);
        return Err(error);
    }
    let tree = repository.open_worktree(path)?;
    checks::carry_ignored_files(&repository, &tree, &wanted.run.rules.copy)?;
    let Some(setup) = &wanted.run.rules.setup else { return Ok(()) };
    let subject = CheckSubject {
        run: &wanted.run,
        attempt: Some((wanted.attempt.id, &wanted.attempt.name)),
        slot: wanted.tree.slot,
        stage: CheckStage::Attempt,
        commit: &wanted.tree.base,
    };
    let order = CheckSpec { source: CheckSource::Setup, command: setup.clone() };
    let verdict = checks::run_checks(session, &subject, tree.top_level(), std::slice::from_ref(&order));
    let failed = verdict.failed_checks();
    if failed.is_empty() {
        return Ok(());
    }
    remove_unsent_worktree(&repository, wanted)?;
    Err(TreeRefusal::ChecksFailed { subject: wanted.attempt.name.to_string(), checks: failed }.into())
}

/// Makes the tree anew where an earlier try got as far as its setup: nobody has worked in it.
fn add_worktree(
    repository: &Repository,
    addition: &WorktreeSpec<'_>,
    wanted: &PreparationTarget,
) -> Result<(), Error> {
    match repository.add_worktree(addition) {
        Ok(_) => Ok(()),
        Err(GitError::PathTaken { .. })
            if find_attempt_worktree(repository, addition.path, &wanted.attempt.name)?.is_some() =>
        {
            remove_unsent_worktree(repository, wanted)?;
            repository.add_worktree(addition)?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes a branch back that was made for a tree that could not be.
fn delete_unused_branch(repository: &Repository, branch: &RefName, at: &CommitId) {
    // What cannot be taken back is named by `reconcile`; the error that led here is the one to tell.
    if matches!(repository.find_worktree_on_branch(branch), Ok(None))
        && matches!(repository.read_ref(branch), Ok(Some(found)) if found == *at)
    {
        let _ = repository.delete_ref(branch, at);
    }
}

/// Takes a tree away that was made for an attempt whose work was never sent; what the setup left in it is kept.
fn remove_unsent_worktree(repository: &Repository, wanted: &PreparationTarget) -> Result<(), Error> {
    let name = &wanted.attempt.name;
    let tree = repository.open_worktree(Path::new(&wanted.tree.path))?;
    let salvage = tree.salvage_to_ref(&salvage_ref(name)?, &format!("orch: {name} as its setup left it"))?;
    repository.remove_worktree(&salvage)?;
    repository.delete_ref(&branch_ref(&wanted.tree.branch)?, &to_commit_id(&wanted.tree.base)?)?;
    Ok(())
}

/// Refuses to fill a disk to its brim.
pub(crate) fn require_disk_space(path: &Path) -> Result<(), Error> {
    let free = disk::free_bytes(path).map_err(|source| Error::File {
        doing: "look at the disk of",
        path: path.to_owned(),
        source,
    })?;
    if free >= DISK_FLOOR_BYTES {
        return Ok(());
    }
    let source = std::io::ErrorKind::StorageFull.into();
    Err(Error::File { doing: "make a worktree with so little room left at", path: path.to_owned(), source })
}

/// Records the tree and sends the work, in one transaction; `false` where nobody asks for it any more.
fn record_and_send_work(
    session: &mut Session,
    taken: &EffectLease,
    wanted: &PreparationTarget,
) -> Result<bool, Error> {
    tool_transaction(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(false);
        }
        let Some(live) = attempt::load(stage.tx, wanted.attempt.id)? else { return Ok(false) };
        let tree = Worktree { state: WorktreeState::Present, updated_at: stage.now, ..wanted.tree.clone() };
        worktree::save(stage.tx, &tree)?;
        let run = stage.load_run(live.run)?.clone();
        let task =
            task_table::load(stage.tx, live.task)?.ok_or_else(|| lookup::missing_row("task", live.task.0))?;
        let thread = send_work(stage, wanted, &run, &task, &tree)?;
        let mut sent = decide::apply_attempt_event(&live, AttemptEvent::Send, stage.now);
        sent.thread = Some(thread.id);
        attempt::save(stage.tx, &sent)?;
        if run.faults > 0 {
            stage.replace_run(Run { faults: 0, ..run });
        }
        let about = EventSubject {
            run: Some(sent.run),
            task: Some(sent.task),
            attempt: Some(sent.id),
            thread: Some(thread.id),
        };
        stage.append_event(EventKind::Prepared, about, None, vec![("path", tree.path.as_str().into())])?;
        Ok(true)
    })
}

/// The attempt's thread, with what it asks of the tree; in a paused run it is not on offer yet.
fn send_work(
    stage: &mut UnitOfWork<'_, '_>,
    wanted: &PreparationTarget,
    run: &Run,
    task: &Task,
    tree: &Worktree,
) -> Result<Thread, Error> {
    let live = &wanted.attempt;
    let text = task_table::load_text(stage.tx, task.id)?;
    let judged_by = attempt::load_text(stage.tx, live.id)?;
    let work = work_message::write_work_message(stage.tx, task, &text, &judged_by, &live.name, Some(tree))?;
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: task.title.clone(),
        from: wanted.lead.clone(),
        to: live.agent.clone(),
        priority: task.priority,
        lease_length: run.policy.lease,
        answer_after: run.policy.answer_after,
        reference: Some(AttemptReference { run: run.id, task: task.id, attempt: live.id }),
    };
    let (thread, _) = send::begin_thread(stage.tx, head, work.body, Some(work.payload), stage.now)?;
    let condition = TreeCondition {
        tree: tree.path.clone(),
        branch: tree.branch.clone(),
        base: tree.base.clone(),
        needs_commit: !task.allow_empty,
    };
    thread_condition::insert(stage.tx, thread.id, &condition)?;
    if run.state.status() == RunStatus::Paused {
        thread::save(stage.tx, &Thread { withdrawn: true, ..thread.clone() }, false)?;
    }
    Ok(thread)
}

/// Ends the attempt without counting it; after several such faults in a row the run is paused.
/// `false` where nobody asks for it any more.
fn abandon_preparation(
    session: &mut Session,
    taken: &EffectLease,
    wanted: &PreparationTarget,
    error: &Error,
) -> Result<bool, Error> {
    let reason = describe_error(error);
    let salvage = find_setup_salvage(session, wanted);
    tool_transaction(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(false);
        }
        let Some(live) = attempt::load(stage.tx, wanted.attempt.id)? else { return Ok(false) };
        let tree = Worktree {
            state: WorktreeState::Removed,
            salvage: salvage.clone(),
            updated_at: stage.now,
            ..wanted.tree.clone()
        };
        worktree::save(stage.tx, &tree)?;
        let before =
            task_table::load(stage.tx, live.task)?.ok_or_else(|| lookup::missing_row("task", live.task.0))?;
        let mut ended = decide::apply_attempt_event(&live, AttemptEvent::Fail, stage.now);
        ended.reason = Some(reason.clone());
        attempt::save(stage.tx, &ended)?;
        let run = stage.load_run(live.run)?.clone();
        let counted = run_decide::record_fault(&run, &reason, stage.now);
        let how = UnsuccessfulEnd::Unprepared(counted.faults);
        let after = decide::end_attempt(&before, how, &run.policy, run.state.status(), stage.now);
        let halted = counted.state != run.state;
        let about = crate::run::about_run(run.id);
        stage.replace_run(counted);
        if halted {
            stage.append_event(EventKind::RunPaused, about, None, vec![("reason", "breaker".into())])?;
        }
        let told = TransitionEvent {
            data: vec![("reason", reason.as_str().into())],
            ..TransitionEvent::without_data(EventKind::Fault, "its worktree could not be prepared")
        };
        stage.apply_transition(&before, &after, told)?;
        Ok(true)
    })
}

/// The reference that keeps what a setup left, if it left anything.
fn find_setup_salvage(session: &Session, wanted: &PreparationTarget) -> Option<String> {
    let (repository, reference) =
        (open_repository(session, &wanted.run).ok()?, salvage_ref(&wanted.attempt.name).ok()?);
    repository.read_ref(&reference).ok()?.map(|_| reference.as_str().to_owned())
}

/// An error with its causes, in a sentence.
pub fn describe_error(error: &Error) -> String {
    if let Error::Refused(Refusal::Tree(refusal)) = error {
        return refusal.to_string();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.push('.');
    text
}
