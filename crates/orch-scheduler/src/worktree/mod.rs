//! `orch worktree …`: what the store says of the trees of attempts, beside what is really there.
//!
//! Removing and bringing back are effects: asked for in one transaction, performed after it.

pub mod list;
pub mod prune;
pub mod remove;
pub mod restore;
pub mod show;

use std::path::Path;

use orch_core::attempt::Attempt;
use orch_core::effect::EffectKind;
use orch_core::id::AttemptId;
use orch_core::refusal::TreeRefusal;
use orch_core::run::Run;
use orch_core::worktree::{Found, Worktree};
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use super::perform::{complete, run_row};
use super::{AttemptRef, scope};
use orch_git::{WorktreeEntry, real};
use orch_inbox::{Error, Session};

/// The worktree of an attempt.
#[derive(Clone, Debug)]
pub struct TreeShown {
    /// The attempt.
    pub attempt: Attempt,
    /// What the store says of its worktree.
    pub tree: Worktree,
    /// What is really there.
    pub found: Found,
}

/// An attempt with its run and its worktree.
pub(crate) struct Subject {
    pub run: Run,
    pub attempt: Attempt,
    pub tree: Worktree,
}

impl Subject {
    /// The attempt that was named.
    pub(crate) fn named(tx: &mut Transaction<'_>, wanted: &AttemptRef) -> Result<Self, Error> {
        let run = scope::one_run(tx, wanted.task.run.as_ref())?;
        let task = scope::task_in(tx, &run, &wanted.task.key)?;
        let number = wanted.number.or_else(|| task.attempt.map(|last| last.number));
        let found = match number {
            Some(number) => attempt::by_number(tx, task.id, number)?,
            None => None,
        };
        let name = number.map_or_else(|| task.name.to_string(), |number| format!("{}@{number}", task.name));
        let missing = || Error::from(TreeRefusal::WorktreeNotFound { attempt: name.clone() });
        let attempt = found.ok_or_else(missing)?;
        let tree = worktree::load(tx, attempt.id)?.ok_or_else(missing)?;
        Ok(Self { run, attempt, tree })
    }

    /// The attempt with this key.
    pub(crate) fn of(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Self, Error> {
        let attempt = attempt::load(tx, id)?.ok_or_else(|| scope::missing("attempt", id.0))?;
        let tree = worktree::load(tx, id)?.ok_or_else(|| scope::missing("worktree", id.0))?;
        Ok(Self { run: run_row(tx, attempt.run)?, attempt, tree })
    }
}

/// Finishes what was begun with the worktree of the named attempt; whoever asks next meets it as it will be.
pub(crate) fn settle(session: &mut Session, wanted: &AttemptRef) -> Result<(), Error> {
    let found = session.read(|tx, _| match Subject::named(tx, wanted) {
        Ok(subject) => Ok(Some(subject)),
        // It is refused by the decision, which looks again.
        Err(Error::Refused(_)) => Ok(None),
        Err(other) => Err(other),
    })?;
    let Some(subject) = found else { return Ok(()) };
    for kind in [EffectKind::Clear, EffectKind::Restore] {
        // What cannot be done was told when it was tried; the decision that follows says what that means.
        let done = complete(session, kind, subject.run.id, Some(subject.attempt.id));
        if let Err(error @ Error::Store(_)) = done {
            return Err(error);
        }
    }
    Ok(())
}

/// What is at the place of a worktree, by what git has listed.
pub(crate) fn look(entries: &[WorktreeEntry], path: &Path) -> Found {
    // Git keeps the path of a folder that is gone as it was.
    let place = real(path);
    let entry = entries.iter().find(|entry| entry.path == place || entry.path == path);
    match (entry, path.symlink_metadata().is_ok()) {
        (Some(entry), true) if entry.prunable.is_none() => Found::There,
        (Some(_), false) => Found::Missing,
        (_, true) => Found::Foreign,
        (None, false) => Found::Nothing,
    }
}

/// An attempt with what is really at the place of its worktree.
pub(crate) fn seen(session: &mut Session, id: AttemptId) -> Result<TreeShown, Error> {
    let subject = session.read(|tx, _| Subject::of(tx, id))?;
    let entries = super::perform::repository(session, &subject.run)?.list_worktrees()?;
    let found = look(&entries, Path::new(&subject.tree.path));
    Ok(TreeShown { attempt: subject.attempt, tree: subject.tree, found })
}
