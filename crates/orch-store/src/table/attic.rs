//! Damaged worktrees in the attic; they outlive their runs.

use orch_core::id::Slug;
use orch_core::worktree::DamagedWorktree;

use super::{slug_column, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    const INSERT = "INSERT INTO attic (path, run, attempt, repository, reason, moved_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (path) DO NOTHING";
    const ALL = "SELECT path, run, attempt, repository, reason, moved_at FROM attic
        WHERE CAST($1 AS TEXT) IS NULL OR run = $1 ORDER BY moved_at, path";
    const AT = "SELECT path, run, attempt, repository, reason, moved_at FROM attic WHERE path = $1";
    const DROP = "DELETE FROM attic WHERE path = $1";
}

fn entry_from_row(row: &dyn SqlRow) -> Result<DamagedWorktree, Fault> {
    Ok(DamagedWorktree {
        path: row.text(0)?,
        run: slug_column(row, 1)?,
        attempt: row.text(2)?,
        repository: row.text(3)?,
        reason: row.text(4)?,
        moved_at: time_column(row, 5)?,
    })
}

/// Records a worktree in the attic; one that is recorded already stays so.
pub fn insert(tx: &mut Transaction<'_>, entry: &DamagedWorktree) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 6] = [
        entry.path.as_str().into(),
        entry.run.as_str().into(),
        entry.attempt.as_str().into(),
        entry.repository.as_str().into(),
        entry.reason.as_str().into(),
        entry.moved_at.0.into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Lists the worktrees of one run's name or of all, oldest first.
pub fn list(tx: &mut Transaction<'_>, run: Option<&Slug>) -> Result<Vec<DamagedWorktree>, Fault> {
    tx.query_all(ALL, &[run.map(Slug::as_str).into()], entry_from_row)
}

/// Finds the worktree at a path.
pub fn load(tx: &mut Transaction<'_>, path: &str) -> Result<Option<DamagedWorktree>, Fault> {
    tx.query_first(AT, &[path.into()], entry_from_row)
}

/// Forgets the worktree at a path.
pub fn delete(tx: &mut Transaction<'_>, path: &str) -> Result<(), Fault> {
    tx.execute(DROP, &[path.into()]).map(|_| ())
}
