//! Which store this is, its place, and which repository it serves: one row.

use orch_core::placement::{FileNumber, StorePlace};

use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// The identity of a store, and its recorded place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The store's id; empty until it has one.
    pub id: String,
    /// Where it was last changed.
    pub home: StorePlace,
    /// The common git folder of the repository whose store this is.
    pub repository: Option<String>,
}

/// A folder that was moved: paths below it are recorded under the new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedFolder<'a> {
    /// The old path.
    pub from: &'a str,
    /// The new path.
    pub to: &'a str,
}

/// Builds the statement that replaces the beginning of a path.
macro_rules! move_path {
    ($table:literal, $column:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET ",
            $column,
            " = CAST($2 AS TEXT) || substr(",
            $column,
            ", length(CAST($1 AS TEXT)) + 1) WHERE ",
            $column,
            " = $1 OR substr(",
            $column,
            ", 1, length(CAST($1 AS TEXT)) + 1) = CAST($1 AS TEXT) || '/'"
        )
    };
}

statements! {
    const LOAD = "SELECT id, path, device, inode, machine, repository FROM store_identity WHERE number = 1";
    const PUT = "INSERT INTO store_identity (number, id, path, device, inode, machine, repository)
        VALUES (1, $1, $2, $3, $4, $5, $6)
        ON CONFLICT (number) DO UPDATE SET id = excluded.id, path = excluded.path, device = excluded.device,
        inode = excluded.inode, machine = excluded.machine, repository = excluded.repository";
    const MOVE_REPOSITORY = move_path!("run", "repository");
    const MOVE_ROOT = move_path!("run", "worktree_root");
    const MOVE_WORKTREE = move_path!("worktree", "path");
    const MOVE_CONDITION = move_path!("thread_condition", "tree");
    const HAS_LIVE_ATTEMPT = "SELECT EXISTS (SELECT 1 FROM attempt WHERE ended_at IS NULL)";
    const LIVE_WORKERS = "SELECT host, process, agent FROM worker WHERE ended_at IS NULL ORDER BY thread_id";
    const FORGET_WORKERS = "DELETE FROM worker";
    const FORGET_SUPERVISORS = "DELETE FROM supervisor";
    const FORGET_EFFECTS = "DELETE FROM effect";
    const FORGET_WORKTREES = "UPDATE worktree SET state = 'removed', updated_at = $1 WHERE state != 'removed'";
}

fn identity_from_row(row: &dyn SqlRow) -> Result<StoreIdentity, Fault> {
    let file = FileNumber { device: row.int(2)?.cast_unsigned(), inode: row.int(3)?.cast_unsigned() };
    let home = StorePlace { path: row.text(1)?, file, machine: row.text(4)? };
    Ok(StoreIdentity { id: row.text(0)?, home, repository: row.text_or_null(5)? })
}

/// Loads the identity.
pub fn load(tx: &mut Transaction<'_>) -> Result<Option<StoreIdentity>, Fault> {
    tx.query_first(LOAD, &[], identity_from_row)
}

/// Replaces the identity.
pub fn save(tx: &mut Transaction<'_>, identity: &StoreIdentity) -> Result<(), Fault> {
    let file = identity.home.file;
    let values = [
        identity.id.as_str().into(),
        identity.home.path.as_str().into(),
        file.device.cast_signed().into(),
        file.inode.cast_signed().into(),
        identity.home.machine.as_str().into(),
        identity.repository.as_deref().into(),
    ];
    tx.execute(PUT, &values).map(|_| ())
}

/// Records all paths below a moved folder under its new name.
pub fn rename_folder(tx: &mut Transaction<'_>, moved: MovedFolder<'_>) -> Result<(), Fault> {
    for statement in [MOVE_REPOSITORY, MOVE_ROOT, MOVE_WORKTREE, MOVE_CONDITION] {
        tx.execute(statement, &[moved.from.into(), moved.to.into()])?;
    }
    Ok(())
}

/// Returns whether an attempt is live.
pub fn has_live_attempt(tx: &mut Transaction<'_>) -> Result<bool, Fault> {
    Ok(tx.query_number(HAS_LIVE_ATTEMPT, &[])? != 0)
}

/// Lists the host, process and agent of workers that have not ended.
pub fn list_live_workers(tx: &mut Transaction<'_>) -> Result<Vec<(String, String, String)>, Fault> {
    tx.query_all(LIVE_WORKERS, &[], |row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)))
}

/// Forgets processes, effects and worktrees, which belong to the store that this one is a copy of.
pub fn forget_surroundings(tx: &mut Transaction<'_>, now: orch_core::time::Time) -> Result<(), Fault> {
    for statement in [FORGET_WORKERS, FORGET_SUPERVISORS, FORGET_EFFECTS] {
        tx.execute(statement, &[])?;
    }
    tx.execute(FORGET_WORKTREES, &[now.0.into()]).map(|_| ())
}
