//! The attempt that a worktree command is about.

use std::path::Path;

use orch_core::attempt::Attempt;
use orch_core::effect::{EffectKey, EffectKind};
use orch_core::id::AttemptId;
use orch_core::refusal::TreeRefusal;
use orch_core::run::Run;
use orch_core::worktree::{Worktree, WorktreePresence};
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use crate::perform::complete_effect;
use crate::{AttemptSelector, lookup};
use orch_git::{RegisteredWorktree, canonicalize_existing};
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::open_repository;

/// The worktree of an attempt.
#[derive(Clone, Debug)]
pub struct WorktreeSummary {
    /// The attempt.
    /// The attempt.
    pub attempt: Attempt,
    /// The recorded worktree.
    /// Its worktree, as recorded.
    pub tree: Worktree,
    /// What is on the disk at its path.
    pub found: WorktreePresence,
}

/// An attempt with its run and its worktree.
pub struct AttemptWorktree {
    /// The run.
    pub run: Run,
    /// The attempt.
    pub attempt: Attempt,
    /// Its worktree, as recorded.
    pub tree: Worktree,
}

impl AttemptWorktree {
    /// Finds the attempt that was named.
    pub fn find_named(tx: &mut Transaction<'_>, wanted: &AttemptSelector) -> Result<Self, Error> {
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

    /// Loads the attempt with this key.
    pub fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Self, Error> {
        let attempt = attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
        let tree = worktree::load(tx, id)?.ok_or_else(|| lookup::missing_row("worktree", id.0))?;
        Ok(Self { run: lookup::load_run(tx, attempt.run)?, attempt, tree })
    }
}

/// Completes the pending effects on the named attempt's worktree, so that the command meets its final state.
pub fn finish_pending_effects(session: &mut Session, wanted: &AttemptSelector) -> Result<(), Error> {
    let found = session.read(|tx, _| match AttemptWorktree::find_named(tx, wanted) {
        Ok(subject) => Ok(Some(subject)),
        // The decision, which looks it up again, refuses it.
        Err(Error::Refused(_)) => Ok(None),
        Err(other) => Err(other),
    })?;
    let Some(subject) = found else { return Ok(()) };
    for kind in [EffectKind::Clear, EffectKind::Restore] {
        let key = EffectKey::of_attempt(kind, subject.run.id, subject.attempt.id);
        // Other failures were reported when the effect was performed; the decision that follows says what they mean.
        if let Err(error @ Error::Store(_)) = complete_effect(session, key) {
            return Err(error);
        }
    }
    Ok(())
}

/// Completes an effect on an attempt's worktree that a command has asked for, and loads the result.
pub fn finish_requested_effect(
    session: &mut Session,
    kind: EffectKind,
    id: AttemptId,
) -> Result<WorktreeSummary, Error> {
    let run = session.read(|tx, _| Ok(AttemptWorktree::load(tx, id)?.run))?;
    complete_effect(session, EffectKey::of_attempt(kind, run.id, id))?;
    let subject = session.read(|tx, _| AttemptWorktree::load(tx, id))?;
    let entries = open_repository(session, &run)?.list_worktrees()?;
    let found = worktree_presence(&entries, Path::new(&subject.tree.path));
    Ok(WorktreeSummary { attempt: subject.attempt, tree: subject.tree, found })
}

/// What is on the disk at the path of a worktree, among those that git has listed.
pub fn worktree_presence(entries: &[RegisteredWorktree], path: &Path) -> WorktreePresence {
    // Git keeps the path of a missing folder as it was.
    let canonical = canonicalize_existing(path);
    let entry = entries.iter().find(|entry| entry.path == canonical || entry.path == path);
    match (entry, path.symlink_metadata().is_ok()) {
        (Some(entry), true) if entry.prunable.is_none() => WorktreePresence::There,
        (Some(_), false) => WorktreePresence::Missing,
        (_, true) => WorktreePresence::Foreign,
        (None, false) => WorktreePresence::Nothing,
    }
}
