//! `orch clean --attic`: deletes the damaged worktrees that were moved aside.

use std::path::Path;

use orch_core::id::Slug;
use orch_core::worktree::{DamagedWorktree, Worktree, WorktreeState};
use orch_store::table::{attic, worktree};

use crate::operation::{Operation, tool_transaction};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// What cleaning the attic deleted, or would delete.
#[derive(Debug, Default)]
pub struct AtticCleaning {
    /// The worktrees that were deleted.
    pub removed: Vec<DamagedWorktree>,
    /// The worktrees that stay, and why.
    pub kept: Vec<(DamagedWorktree, Error)>,
}

/// Deletes the damaged worktrees of one run or of all, removed ones included.
pub fn clean_attic(
    session: &mut Session,
    receipt: Option<&Receipt<'_, AtticCleaning>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Response<AtticCleaning>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |_| Ok(RequestDecision::Pending(())),
        |session, ()| {
            let mut cleaning = AtticCleaning::default();
            for entry in session.read(|tx, _| Ok(attic::list(tx, run)?))? {
                match delete_damaged(session, &entry) {
                    Ok(()) => cleaning.removed.push(entry),
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => cleaning.kept.push((entry, error)),
                }
            }
            Ok(cleaning)
        },
    )
}

/// Returns what cleaning the attic would delete, and deletes nothing.
pub fn plan_cleaning(session: &mut Session, run: Option<&Slug>) -> Result<AtticCleaning, Error> {
    let removed = session.read(|tx, _| Ok(attic::list(tx, run)?))?;
    Ok(AtticCleaning { removed, kept: Vec::new() })
}

/// Deletes a damaged worktree from the disk, then its record.
fn delete_damaged(session: &mut Session, entry: &DamagedWorktree) -> Result<(), Error> {
    let path = Path::new(&entry.path);
    if orch_git::exists_at(path) {
        session.world().open_repository(Path::new(&entry.repository))?.delete_from_attic(path)?;
    }
    tool_transaction(session, |unit| {
        attic::delete(unit.tx, &entry.path)?;
        let tree = worktree::load_by_path(unit.tx, &entry.path)?;
        if let Some(tree) = tree.filter(|tree| tree.state == WorktreeState::Attic) {
            let removed = Worktree { state: WorktreeState::Removed, updated_at: unit.now, ..tree };
            worktree::save(unit.tx, &removed)?;
        }
        Ok(())
    })
}
