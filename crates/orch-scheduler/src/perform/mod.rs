//! Performing effects: what a decision asked for outside the store is done here, after its commit, by whoever comes first.
//!
//! Each kind has a file with one function that is harmless to repeat: it looks, does what is missing, and reports by a
//! decision of its own, which also takes the effect away. What fails is told and stays to be done again, or is given
//! up by that same decision. Start at [`complete`].

pub(crate) mod baseline;
pub(crate) mod branch;
pub mod checks;
pub(crate) mod clear;
pub mod hold;
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
use orch_core::run::{Ground, Run};
use orch_core::time::Span;
use orch_store::Ending;
use orch_store::Transaction;
use orch_store::driver::Durability;
use orch_store::table::effect;

use super::stage::Stage;
use hold::{Taken, Taking};
use orch_git::{CommitId, RefName, Repository, WorktreeEntry, real};
use orch_inbox::wake::{Look, wait_until};
use orch_inbox::{Error, Session};

/// How long a command waits for another process that performs what it needs.
const OTHERS_MAX: Span = Span::hours(4);

/// How often to look whether that other process is still alive.
const LOOK_AGAIN: Span = Span::seconds(1);

/// Sees an effect through: performs it, or waits for whoever does.
pub fn complete(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<(), Error> {
    match take_over(session, kind, run, attempt)? {
        None => Ok(()),
        Some(taken) => perform(session, &taken),
    }
}

/// Waits until nobody else performs an effect, and takes it; `None` where it was done meanwhile.
fn take_over(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<Option<Taken>, Error> {
    let taken = wait_until(session, OTHERS_MAX, |session| {
        Ok(match hold::take(session, kind, run, attempt)? {
            Taking::Done => Look::Found(None),
            Taking::Ours(taken) => Look::Found(Some(taken)),
            // Nothing in the store changes when a process dies.
            Taking::Others => Look::Nothing(Some(session.clock_now() + LOOK_AGAIN)),
        })
    })?;
    let over = || TreeRefusal::NotSupported { what: "Waiting any longer for another process".to_owned() };
    taken.ok_or_else(|| over().into())
}

/// An effect that was performed.
pub(crate) struct Done {
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
pub(crate) fn outstanding(session: &mut Session, run: Option<RunId>) -> Result<Vec<Done>, Error> {
    let (mut done, mut let_be) = (Vec::new(), BTreeSet::new());
    for _ in 0..ROUNDS_MAX {
        let mut effects = session.read(|tx, _| Ok(effect::all(tx, run)?))?;
        effects.retain(|effect| !let_be.contains(&effect.id));
        if effects.is_empty() {
            break;
        }
        // What the others put aside is swept after them.
        effects.sort_by_key(|effect| effect.kind == EffectKind::Sweep);
        for effect in effects {
            let Taking::Ours(taken) = hold::take(session, effect.kind, effect.run, effect.attempt)? else {
                let_be.insert(effect.id);
                continue;
            };
            // Once it was performed there may be no such run.
            let run = session.read(|tx, _| run_row(tx, effect.run))?.name;
            let outcome = perform(session, &taken);
            if outcome.is_err() {
                let_be.insert(effect.id);
            }
            done.push(Done { effect, run, outcome });
        }
    }
    Ok(done)
}

/// Performs an effect that is ours. Where that fails it is given back, unless it was given up.
fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let done = match taken.effect.kind {
        EffectKind::Branch => branch::perform(session, taken),
        EffectKind::Prepare => prepare::perform(session, taken),
        EffectKind::Baseline => baseline::perform(session, taken),
        EffectKind::Verify => verify::perform(session, taken),
        EffectKind::Integrate => integrate::perform(session, taken),
        EffectKind::Clear => clear::perform(session, taken),
        EffectKind::Restore => restore::perform(session, taken),
        EffectKind::Land => land::perform(session, taken),
        EffectKind::Sweep => sweep::perform(session, taken),
        EffectKind::Remove => remove::perform(session, taken),
    };
    if done.is_err() {
        hold::let_go(session, taken)?;
    }
    done
}

/// A decision of the tool's own: what workers reported is taken in first.
pub fn decide<T>(
    session: &mut Session,
    mut work: impl FnMut(&mut Stage<'_, '_>) -> Result<T, Error>,
) -> Result<T, Error> {
    session.write(Durability::Power, |tx, now| {
        let mut stage = Stage::fresh(tx, now, None)?;
        let outcome = work(&mut stage)?;
        stage.close()?;
        Ok(Ending::Keep(outcome))
    })
}

/// What a run stands on.
pub(crate) fn ground(run: &Run) -> Result<&Ground, Error> {
    run.ground.as_ref().ok_or_else(|| TreeRefusal::BaseNotFound { revision: None }.into())
}

/// The run's repository.
pub(crate) fn repository(session: &Session, run: &Run) -> Result<Repository, Error> {
    Ok(session.world().repository_at(Path::new(&ground(run)?.repository))?)
}

/// A commit's name as git takes it.
pub(crate) fn commit_id(commit: &orch_core::id::Commit) -> Result<CommitId, Error> {
    CommitId::parse(commit.as_str())
        .ok_or_else(|| orch_store::Fault::Value { table: "worktree", value: commit.to_string() }.into())
}

/// A commit's name as the store keeps it.
pub(crate) fn commit(id: &CommitId) -> orch_core::id::Commit {
    orch_core::id::Commit::stored(id.as_str().to_owned())
}

/// A branch by its short name.
pub(crate) fn branch_ref(name: &str) -> Result<RefName, Error> {
    Ok(RefName::branch(name)?)
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
pub(crate) fn made_for(
    repository: &Repository,
    path: &Path,
    attempt: &AttemptName,
) -> Result<Option<WorktreeEntry>, Error> {
    let wanted = real(path);
    let ours = attempt.to_string();
    let mut worktrees = repository.list_worktrees()?.into_iter();
    Ok(worktrees.find(|entry| entry.path == wanted && entry.purpose() == Some(&ours)))
}

/// Where the output of what runs for an attempt, or for a run as a whole, is kept.
pub(crate) fn logs(session: &Session, run: &Run, attempt: Option<&AttemptName>) -> PathBuf {
    let folder = session.store_folder().join("logs").join(run.name.as_str());
    match attempt {
        Some(name) => folder.join(format!("{}.{}", name.task.key, name.number)),
        None => folder,
    }
}

/// The run's row.
pub(crate) fn run_row(tx: &mut Transaction<'_>, id: RunId) -> Result<Run, Error> {
    super::scope::run_of(tx, id)
}
