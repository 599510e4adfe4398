//! Making an attempt's worktree, and sending its work once the tree is there.

use std::path::Path;

use orch_core::attempt::state::AttemptEvent;
use orch_core::attempt::{Attempt, AttemptState};
use orch_core::check::{CheckSource, CheckStage};
use orch_core::effect::EffectKind;
use orch_core::event::{About, EventKind};
use orch_core::id::Slug;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{Run, RunStatus, decide as run_decide};
use orch_core::task::Task;
use orch_core::task::decide::{self, Unsuccessful};
use orch_core::thread::condition::Condition;
use orch_core::thread::{NewThread, Reference, Thread, ThreadKind};
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::table::{attempt, task as task_table, thread, thread_condition, worktree};

use super::checks::{self, Order, Subject};
use super::hold::Taken;
use super::{branch_ref, commit_id, complete, decide, made_for, repository, run_row, salvage_ref, spare};
use crate::stage::{Stage, Told};
use crate::{scope, work_message};
use orch_git::{Addition, Checkout, CommitId, GitError, RefName, Repository};
use orch_inbox::send;
use orch_inbox::{Error, Session};
use orch_process::disk;
use orch_process::limit::DISK_FLOOR_BYTES;

/// All that is known of the attempt whose tree is wanted.
struct Wanted {
    run: Run,
    /// The lead who dispatched it, whom its worker reports to.
    lead: Slug,
    attempt: Attempt,
    tree: Worktree,
}

impl Wanted {
    fn load(session: &mut Session, taken: &Taken) -> Result<Option<Self>, Error> {
        let Some(id) = taken.effect.attempt else { return Ok(None) };
        session.read(|tx, _| {
            let run = run_row(tx, taken.effect.run)?;
            let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
                return Ok(None);
            };
            let lead = taken.effect.intent.clone().unwrap_or_else(|| "lead".to_owned());
            Ok(Some(Self { run, lead: Slug::stored(lead), attempt, tree }))
        })
    }
}

/// Makes the worktree, prepares it, and sends the work.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let Some(wanted) = Wanted::load(session, taken)? else {
        return decide(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    if wanted.attempt.state != AttemptState::Preparing {
        return decide(session, |stage| taken.finish(stage.tx).map(|_| ()));
    }
    let id = wanted.attempt.id;
    let made = make(session, &wanted);
    let is_told = match &made {
        Ok(()) => report(session, taken, &wanted)?,
        Err(error) => give_up(session, taken, &wanted, error)?,
    };
    if !is_told {
        // The attempt was ended meanwhile, and whoever ended it asked for its tree to be taken away.
        let _ = complete(session, EffectKind::Clear, wanted.run.id, Some(id));
    }
    made
}

/// The tree on the disk: made or used again, with the files it needs and the setup run in it.
fn make(session: &Session, wanted: &Wanted) -> Result<(), Error> {
    let repository = repository(session, &wanted.run)?;
    let path = Path::new(&wanted.tree.path);
    require_room(path)?;
    let (commit, branch) = (commit_id(&wanted.tree.base)?, branch_ref(&wanted.tree.branch)?);
    let reason = wanted.attempt.name.to_string();
    let addition = Addition { path, checkout: Checkout::Branch(&branch), commit: &commit, reason: &reason };
    let made = spare::take(&repository, &wanted.run, &addition)
        .and_then(|is_made| if is_made { Ok(()) } else { add(&repository, &addition, wanted) });
    if let Err(error) = made {
        forget_branch(&repository, &branch, &commit);
        return Err(error);
    }
    let tree = repository.worktree(path)?;
    checks::carry(&repository, &tree, &wanted.run.rules.copy)?;
    let Some(setup) = &wanted.run.rules.setup else { return Ok(()) };
    let subject = Subject {
        run: &wanted.run,
        attempt: Some((wanted.attempt.id, &wanted.attempt.name)),
        slot: wanted.tree.slot,
        stage: CheckStage::Attempt,
        commit: &wanted.tree.base,
    };
    let order = Order { source: CheckSource::Setup, command: setup.clone() };
    let verdict = checks::run_all(session, &subject, tree.top(), std::slice::from_ref(&order));
    let failed = verdict.failed();
    if failed.is_empty() {
        return Ok(());
    }
    take_back(&repository, wanted)?;
    Err(TreeRefusal::ChecksFailed { subject: wanted.attempt.name.to_string(), checks: failed }.into())
}

/// Makes the tree anew where an earlier try got as far as its setup: nobody has worked in it.
fn add(repository: &Repository, addition: &Addition<'_>, wanted: &Wanted) -> Result<(), Error> {
    match repository.add_worktree(addition) {
        Ok(_) => Ok(()),
        Err(GitError::PathTaken { .. })
            if made_for(repository, addition.path, &wanted.attempt.name)?.is_some() =>
        {
            take_back(repository, wanted)?;
            repository.add_worktree(addition)?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes a branch back that was made for a tree that could not be.
fn forget_branch(repository: &Repository, branch: &RefName, at: &CommitId) {
    // What cannot be taken back is named by `reconcile`; the error that led here is the one to tell.
    if matches!(repository.worktree_on(branch), Ok(None))
        && matches!(repository.read_ref(branch), Ok(Some(found)) if found == *at)
    {
        let _ = repository.delete_ref(branch, at);
    }
}

/// Takes a tree away that was made for an attempt whose work was never sent; what the setup left in it is kept.
fn take_back(repository: &Repository, wanted: &Wanted) -> Result<(), Error> {
    let name = &wanted.attempt.name;
    let tree = repository.worktree(Path::new(&wanted.tree.path))?;
    let salvage = tree.salvage(&salvage_ref(name)?, &format!("orch: {name} as its setup left it"))?;
    repository.remove_worktree(&salvage)?;
    repository.delete_ref(&branch_ref(&wanted.tree.branch)?, &commit_id(&wanted.tree.base)?)?;
    Ok(())
}

/// Refuses to fill a disk to its brim.
pub(crate) fn require_room(path: &Path) -> Result<(), Error> {
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
fn report(session: &mut Session, taken: &Taken, wanted: &Wanted) -> Result<bool, Error> {
    decide(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(false);
        }
        let Some(live) = attempt::load(stage.tx, wanted.attempt.id)? else { return Ok(false) };
        let tree = Worktree { state: WorktreeState::Present, updated_at: stage.now, ..wanted.tree.clone() };
        worktree::save(stage.tx, &tree)?;
        let run = stage.run(live.run)?.clone();
        let task =
            task_table::load(stage.tx, live.task)?.ok_or_else(|| scope::missing("task", live.task.0))?;
        let thread = send_work(stage, wanted, &run, &task, &tree)?;
        let mut sent = decide::attempt_moved(&live, AttemptEvent::Send, stage.now);
        sent.thread = Some(thread.id);
        attempt::save(stage.tx, &sent)?;
        if run.faults > 0 {
            stage.put_run(Run { faults: 0, ..run });
        }
        let about = About {
            run: Some(sent.run),
            task: Some(sent.task),
            attempt: Some(sent.id),
            thread: Some(thread.id),
        };
        stage.tell(EventKind::Prepared, about, None, vec![("path", tree.path.as_str().into())])?;
        Ok(true)
    })
}

/// The attempt's thread, with what it asks of the tree; in a paused run it is not on offer yet.
fn send_work(
    stage: &mut Stage<'_, '_>,
    wanted: &Wanted,
    run: &Run,
    task: &Task,
    tree: &Worktree,
) -> Result<Thread, Error> {
    let live = &wanted.attempt;
    let text = task_table::text(stage.tx, task.id)?;
    let judged_by = attempt::text(stage.tx, live.id)?;
    let work = work_message::write(stage.tx, task, &text, &judged_by, &live.name, Some(tree))?;
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: task.title.clone(),
        from: wanted.lead.clone(),
        to: live.agent.clone(),
        priority: task.priority,
        lease_length: run.policy.lease,
        answer_after: run.policy.answer_after,
        reference: Some(Reference { run: run.id, task: task.id, attempt: live.id }),
    };
    let (thread, _) = send::begin(stage.tx, head, work.body, Some(work.payload), stage.now)?;
    let condition = Condition {
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
fn give_up(session: &mut Session, taken: &Taken, wanted: &Wanted, error: &Error) -> Result<bool, Error> {
    let reason = said(error);
    let salvage = kept(session, wanted);
    decide(session, |stage| {
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
            task_table::load(stage.tx, live.task)?.ok_or_else(|| scope::missing("task", live.task.0))?;
        let mut ended = decide::attempt_moved(&live, AttemptEvent::Fail, stage.now);
        ended.reason = Some(reason.clone());
        attempt::save(stage.tx, &ended)?;
        let run = stage.run(live.run)?.clone();
        let counted = run_decide::fault(&run, &reason, stage.now);
        let how = Unsuccessful::Unprepared(counted.faults);
        let after = decide::attempt_ended(&before, how, &run.policy, run.state.status(), stage.now);
        let halted = counted.state != run.state;
        let about = crate::run::about(run.id);
        stage.put_run(counted);
        if halted {
            stage.tell(EventKind::RunPaused, about, None, vec![("reason", "breaker".into())])?;
        }
        let told = Told {
            data: vec![("reason", reason.as_str().into())],
            ..Told::plain(EventKind::Fault, "its worktree could not be prepared")
        };
        stage.move_task(&before, &after, told)?;
        Ok(true)
    })
}

/// The reference that keeps what a setup left, if it left anything.
fn kept(session: &Session, wanted: &Wanted) -> Option<String> {
    let (repository, reference) =
        (repository(session, &wanted.run).ok()?, salvage_ref(&wanted.attempt.name).ok()?);
    repository.read_ref(&reference).ok()?.map(|_| reference.as_str().to_owned())
}

/// An error with its causes, in a sentence.
pub fn said(error: &Error) -> String {
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
