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
use orch_core::worktree::{Worktree, WorktreePresence};
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use super::perform::{complete_effect, load_run};
use super::{AttemptSelector, lookup};
use orch_git::{RegisteredWorktree, canonicalize_existing};
use orch_inbox::{Error, Session};

/// The worktree of an attempt.
#[derive(Clone, Debug)]
pub struct WorktreeSummary {
    /// The attempt.
    pub attempt: Attempt,
    /// What the store says of its worktree.
    pub tree: Worktree,
    /// What is really there.
    pub found: WorktreePresence,
}

/// An attempt with its run and its worktree.
pub(crate) struct AttemptWorktree {
    pub run: Run,
    pub attempt: Attempt,
    pub tree: Worktree,
}

impl AttemptWorktree {
    /// The attempt that was named.
    pub(crate) fn find_named(tx: &mut Transaction<'_>, wanted: &AttemptSelector) -> Result<Self, Error> {
        let run = lookup::find_run(tx, wanted.task.run.as_ref())?;
        let task = lookup::find_task_in_run(tx, &run, &wanted.task.key)?;
        let number = wanted.number.or_else(|| task.attempt.map(|last| last.number));
        let found = match number {
            Some(number) => attempt::load_by_number(tx, task.id, number)?,
            None => None,
        };
        let name = number.map_or_else(|| task.name.to_string(), |number| format!("{}@{number}", task.name));
        let missing = || Error::from(TreeRefusal::WorktreeNotFound { attempt: name.clone() });
        let attempt = found.ok_or_else(missing)?;
        let tree = worktree::load(tx, attempt.id)?.ok_or_else(missing)?;
        Ok(Self { run, attempt, tree })
    }

    /// The attempt with this key.
    pub(crate) fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Self, Error> {
        let attempt = attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
        let tree = worktree::load(tx, id)?.ok_or_else(|| lookup::missing_row("worktree", id.0))?;
        Ok(Self { run: load_run(tx, attempt.run)?, attempt, tree })
    }
}

/// Finishes what was begun with the worktree of the named attempt; whoever asks next meets it as it will be.
pub(crate) fn finish_pending_effects(session: &mut Session, wanted: &AttemptSelector) -> Result<(), Error> {
    let found = session.read(|tx, _| match AttemptWorktree::find_named(tx, wanted) {
        Ok(subject) => Ok(Some(subject)),
        // It is refused by the decision, which looks again.
        Err(Error::Refused(_)) => Ok(None),
        Err(other) => Err(other),
    })?;
    let Some(subject) = found else { return Ok(()) };
    for kind in [EffectKind::Clear, EffectKind::Restore] {
        // What cannot be done was told when it was tried; the decision that follows says what that means.
        let done = complete_effect(session, kind, subject.run.id, Some(subject.attempt.id));
        if let Err(error @ Error::Store(_)) = done {
            return Err(error);
        }
    }
    Ok(())
}

/// What is at the place of a worktree, by what git has listed.
pub(crate) fn worktree_presence(entries: &[RegisteredWorktree], path: &Path) -> WorktreePresence {
    // Git keeps the path of a folder that is gone as it was.
    let place = canonicalize_existing(path);
    let entry = entries.iter().find(|entry| entry.path == place || entry.path == path);
    match (entry, path.symlink_metadata().is_ok()) {
        (Some(entry), true) if entry.prunable.is_none() => WorktreePresence::There,
        (Some(_), false) => WorktreePresence::Missing,
        (_, true) => WorktreePresence::Foreign,
        (None, false) => WorktreePresence::Nothing,
    }
}

/// An attempt with what is really at the place of its worktree.
pub(crate) fn load_summary(session: &mut Session, id: AttemptId) -> Result<WorktreeSummary, Error> {
    let subject = session.read(|tx, _| AttemptWorktree::load(tx, id))?;
    let entries = super::perform::open_repository(session, &subject.run)?.list_worktrees()?;
    let found = worktree_presence(&entries, Path::new(&subject.tree.path));
    Ok(WorktreeSummary { attempt: subject.attempt, tree: subject.tree, found })
}
