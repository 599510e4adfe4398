//! What processes that ended have left on the disk for a run, and nobody will come back for: trees in which checks ran,
//! trees that were being made, folders that were being deleted, spares that nobody needs.

use std::path::{Path, PathBuf};

use orch_core::run::Run;
use orch_core::worktree::spares_wanted;
use orch_store::Ending;
use orch_store::driver::Durability;

use super::hold::Taken;
use super::{checks, ground, repository, run_row, spare};
use orch_git::{GitError, Repository, WorktreeEntry, real, sweep_removed};
use orch_inbox::{Error, Session};

/// What was taken away, or would be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Swept {
    /// Spares.
    pub spares: Vec<PathBuf>,
    /// Trees in which checks ran, and trees that were being made.
    pub scratch: Vec<PathBuf>,
}

/// Takes away what the run does not need any more.
pub(super) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let run = session.read(|tx, _| run_row(tx, taken.effect.run))?;
    let repository = repository(session, &run)?;
    let entries = repository.list_worktrees()?;
    sweep(&repository, &run, &entries, spares_wanted(&run))?;
    session.write(Durability::Power, |tx, _| taken.finish(tx).map(|_| Ending::Keep(())))
}

/// Takes all of it away; what somebody uses just now stays.
pub(crate) fn sweep(
    repository: &Repository,
    run: &Run,
    entries: &[WorktreeEntry],
    spares_kept: i64,
) -> Result<Swept, Error> {
    let mut swept =
        Swept { spares: spare::trim(repository, run, entries, spares_kept)?.removed, ..Swept::default() };
    for entry in left_over(run, entries)? {
        let path = &entry.path;
        let gone = match entry.purpose() {
            Some(purpose) => repository.sweep_scratch(path, purpose),
            None => repository.clear_half_made(path),
        };
        match gone {
            Ok(true) => swept.scratch.push(path.clone()),
            Ok(false) | Err(GitError::Busy) => {}
            Err(error) => return Err(error.into()),
        }
    }
    sweep_removed(Path::new(&ground(run)?.root))?;
    Ok(swept)
}

/// What would be taken away, as far as it can be told without trying.
pub(crate) fn would_sweep(run: &Run, entries: &[WorktreeEntry], spares_kept: i64) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    let mut kept = 0;
    for entry in entries {
        if spare::is_place(run, entry)? {
            if kept < spares_kept && !entry.is_half_made() {
                kept += 1;
            } else {
                swept.spares.push(entry.path.clone());
            }
        }
    }
    swept.scratch = left_over(run, entries)?.into_iter().map(|entry| entry.path.clone()).collect();
    Ok(swept)
}

fn left_over<'e>(run: &Run, entries: &'e [WorktreeEntry]) -> Result<Vec<&'e WorktreeEntry>, Error> {
    let root = real(Path::new(&ground(run)?.root));
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.path.parent() == Some(&root)) {
        if (checks::is_scratch(entry) || entry.is_half_made()) && !spare::is_place(run, entry)? {
            found.push(entry);
        }
    }
    Ok(found)
}
