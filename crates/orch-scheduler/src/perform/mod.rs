//! Performing effects: what a decision asked for outside the store is done here, after its commit, by whoever comes first.
//!
//! Each kind has a file with one function that is harmless to repeat: it looks, does what is missing, and reports by a
//! decision of its own, which also takes the effect away. What fails is told and stays to be done again, or is given
//! up by that same decision. Start at [`complete_effect`].

pub(crate) mod baseline;
pub(crate) mod branch;
pub mod checks;
pub(crate) mod clear;
pub mod effect_lease;
pub(crate) mod integrate;
pub(crate) mod land;
pub mod prepare;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod spare;
pub(crate) mod sweep;
pub(crate) mod verify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orch_core::effect::{Effect, EffectKind};
use orch_core::id::{AttemptId, AttemptName, RunId, Slug};
use orch_core::refusal::TreeRefusal;
use orch_core::run::{Run, RunGit};
use orch_core::time::TimeSpan;
use orch_store::Transaction;
use orch_store::table::effect;

pub(crate) use super::operation::tool_transaction;
use effect_lease::{EffectLease, LeaseAcquisition};
use orch_git::{CommitId, RefName, RegisteredWorktree, Repository, canonicalize_existing};
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};

/// How long a command waits for another process that performs what it needs.
const OTHERS_MAX: TimeSpan = TimeSpan::from_hours(4);

/// How often to look whether that other process is still alive.
const LOOK_AGAIN: TimeSpan = TimeSpan::from_seconds(1);

/// Sees an effect through: performs it, or waits for whoever does.
pub fn complete_effect(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<(), Error> {
    match wait_and_acquire(session, kind, run, attempt)? {
        None => Ok(()),
        Some(taken) => perform_effect(session, &taken),
    }
}

/// Waits until nobody else performs an effect, and takes it; `None` where it was done meanwhile.
fn wait_and_acquire(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<Option<EffectLease>, Error> {
    let taken = wait_until(session, OTHERS_MAX, |session| {
        Ok(match effect_lease::acquire_effect_lease(session, kind, run, attempt)? {
            LeaseAcquisition::AlreadyDone => PollOutcome::Found(None),
            LeaseAcquisition::Acquired(taken) => PollOutcome::Found(Some(taken)),
            // Nothing in the store changes when a process dies.
            LeaseAcquisition::HeldElsewhere => PollOutcome::NotYet(Some(session.clock_now() + LOOK_AGAIN)),
        })
    })?;
    let over = || TreeRefusal::NotSupported { what: "Waiting any longer for another process".to_owned() };
    taken.ok_or_else(|| over().into())
}

/// An effect that was performed.
pub(crate) struct PerformedEffect {
    /// The effect.
    pub effect: Effect,
    /// The run that it was for.
    pub run: Slug,
    /// What came of it.
    pub outcome: Result<(), Error>,
}

/// How often it is looked for what performing something has led to.
const ROUNDS_MAX: usize = 4;

/// Performs everything that nobody performs just now, of one run or of all, and what that leads to; returns each with
/// what came of it.
pub(crate) fn perform_outstanding(
    session: &mut Session,
    run: Option<RunId>,
) -> Result<Vec<PerformedEffect>, Error> {
    let (mut done, mut let_be) = (Vec::new(), BTreeSet::new());
    for _ in 0..ROUNDS_MAX {
        let mut effects = session.read(|tx, _| Ok(effect::list_pending(tx, run)?))?;
        effects.retain(|effect| !let_be.contains(&effect.id));
        if effects.is_empty() {
            break;
        }
        // What the others put aside is swept after them.
        effects.sort_by_key(|effect| effect.kind == EffectKind::Sweep);
        for effect in effects {
            let LeaseAcquisition::Acquired(taken) =
                effect_lease::acquire_effect_lease(session, effect.kind, effect.run, effect.attempt)?
            else {
                let_be.insert(effect.id);
                continue;
            };
            // Once it was performed there may be no such run.
            let run = session.read(|tx, _| load_run(tx, effect.run))?.name;
            let outcome = perform_effect(session, &taken);
            if outcome.is_err() {
                let_be.insert(effect.id);
            }
            done.push(PerformedEffect { effect, run, outcome });
        }
    }
    Ok(done)
}

/// Performs an effect that is ours. Where that fails it is given back, unless it was given up.
fn perform_effect(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let done = match taken.effect.kind {
        EffectKind::Branch => branch::create_run_branch(session, taken),
        EffectKind::Prepare => prepare::prepare_worktree(session, taken),
        EffectKind::Baseline => baseline::check_baseline(session, taken),
        EffectKind::Verify => verify::verify_attempt(session, taken),
        EffectKind::Integrate => integrate::merge_reported_attempts(session, taken),
        EffectKind::Clear => clear::clear_worktree(session, taken),
        EffectKind::Restore => restore::perform_restore(session, taken),
        EffectKind::Land => land::perform_landing(session, taken),
        EffectKind::Sweep => sweep::perform_sweep(session, taken),
        EffectKind::Remove => remove::perform_removal(session, taken),
    };
    if done.is_err() {
        effect_lease::release_effect_lease(session, taken)?;
    }
    done
}

/// What a run stands on.
pub(crate) fn require_run_git(run: &Run) -> Result<&RunGit, Error> {
    run.ground.as_ref().ok_or_else(|| TreeRefusal::BaseNotFound { revision: None }.into())
}

/// The run's repository.
pub(crate) fn open_repository(session: &Session, run: &Run) -> Result<Repository, Error> {
    Ok(session.world().open_repository(Path::new(&require_run_git(run)?.repository))?)
}

/// A commit's name as git takes it.
pub(crate) fn to_commit_id(commit: &orch_core::id::CommitHash) -> Result<CommitId, Error> {
    CommitId::parse(commit.as_str())
        .ok_or_else(|| orch_store::Fault::Value { table: "worktree", value: commit.to_string() }.into())
}

/// A commit's name as the store keeps it.
pub(crate) fn to_stored_commit(id: &CommitId) -> orch_core::id::CommitHash {
    orch_core::id::CommitHash::from_stored(id.as_str().to_owned())
}

/// A branch by its short name.
pub(crate) fn branch_ref(name: &str) -> Result<RefName, Error> {
    Ok(RefName::from_branch_name(name)?)
}

/// The reference that keeps what an attempt's worktree held.
pub(crate) fn salvage_ref(name: &AttemptName) -> Result<RefName, Error> {
    Ok(RefName::new(&format!("refs/orch/salvage/{}/{}.{}", name.task.run, name.task.key, name.number))?)
}

/// The reference that keeps the branch of an attempt that was merged.
pub(crate) fn kept_ref(name: &AttemptName) -> Result<RefName, Error> {
    Ok(RefName::new(&format!("refs/orch/kept/{}/{}.{}", name.task.run, name.task.key, name.number))?)
}

/// The worktree at this path, if it was made for the attempt.
pub(crate) fn find_attempt_worktree(
    repository: &Repository,
    path: &Path,
    attempt: &AttemptName,
) -> Result<Option<RegisteredWorktree>, Error> {
    let wanted = canonicalize_existing(path);
    let ours = attempt.to_string();
    let mut worktrees = repository.list_worktrees()?.into_iter();
    Ok(worktrees.find(|entry| entry.path == wanted && entry.purpose() == Some(&ours)))
}

/// Where the output of what runs for an attempt, or for a run as a whole, is kept.
pub(crate) fn log_folder(session: &Session, run: &Run, attempt: Option<&AttemptName>) -> PathBuf {
    let folder = session.store_folder().join("logs").join(run.name.as_str());
    match attempt {
        Some(name) => folder.join(format!("{}.{}", name.task.key, name.number)),
        None => folder,
    }
}

/// The run's row.
pub(crate) fn load_run(tx: &mut Transaction<'_>, id: RunId) -> Result<Run, Error> {
    super::lookup::load_run(tx, id)
}
