//! What processes that ended have left on the disk for a run, and nobody will come back for: trees in which checks ran,
//! trees that were being made, folders that were being deleted, spares that nobody needs.

use std::path::{Path, PathBuf};

use orch_core::run::Run;
use orch_core::worktree::spares_wanted;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;

use super::effect_lease::EffectLease;
use super::{checks, load_run, open_repository, require_run_git, spare};
use orch_git::{GitError, RegisteredWorktree, Repository, canonicalize_existing, sweep_deleted_folders};
use orch_inbox::{Error, Session};

/// What was taken away, or would be.
#[derive(Clone, Debug, Default)]
pub(crate) struct SweepOutcome {
    /// Spares.
    pub spares: Vec<PathBuf>,
    /// Trees in which checks ran, and trees that were being made.
    pub scratch: Vec<PathBuf>,
}

/// Takes away what the run does not need any more.
pub(super) fn perform_sweep(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| load_run(tx, taken.effect.run))?;
    let repository = open_repository(session, &run)?;
    let entries = repository.list_worktrees()?;
    sweep_leftovers(&repository, &run, &entries, spares_wanted(&run))?;
    session.write(WriteDurability::Power, |tx, _| taken.finish(tx).map(|_| TxEnd::Commit(())))
}

/// Takes all of it away; what somebody uses just now stays.
pub(crate) fn sweep_leftovers(
    repository: &Repository,
    run: &Run,
    entries: &[RegisteredWorktree],
    spares_kept: i64,
) -> Result<SweepOutcome, Error> {
    let mut swept = SweepOutcome {
        spares: spare::trim_spares(repository, run, entries, spares_kept)?.removed,
        ..SweepOutcome::default()
    };
    for entry in find_leftovers(run, entries)? {
        let path = &entry.path;
        let gone = match entry.purpose() {
            Some(purpose) => repository.sweep_scratch(path, purpose),
            None => repository.sweep_incomplete(path),
        };
        match gone {
            Ok(true) => swept.scratch.push(path.clone()),
            Ok(false) | Err(GitError::Busy) => {}
            Err(error) => return Err(error.into()),
        }
    }
    sweep_deleted_folders(Path::new(&require_run_git(run)?.root))?;
    Ok(swept)
}

/// What would be taken away, as far as it can be told without trying.
pub(crate) fn plan_sweep(
    run: &Run,
    entries: &[RegisteredWorktree],
    spares_kept: i64,
) -> Result<SweepOutcome, Error> {
    let mut swept = SweepOutcome::default();
    let mut kept = 0;
    for entry in entries {
        if spare::is_spare_path(run, entry)? {
            if kept < spares_kept && !entry.is_incomplete() {
                kept += 1;
            } else {
                swept.spares.push(entry.path.clone());
            }
        }
    }
    swept.scratch = find_leftovers(run, entries)?.into_iter().map(|entry| entry.path.clone()).collect();
    Ok(swept)
}

fn find_leftovers<'e>(
    run: &Run,
    entries: &'e [RegisteredWorktree],
) -> Result<Vec<&'e RegisteredWorktree>, Error> {
    let root = canonicalize_existing(Path::new(&require_run_git(run)?.root));
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.path.parent() == Some(&root)) {
        if (checks::is_scratch(entry) || entry.is_incomplete()) && !spare::is_spare_path(run, entry)? {
            found.push(entry);
        }
    }
    Ok(found)
}
