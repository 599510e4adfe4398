//! The worktrees of attempts.

use orch_core::attempt::AttemptState;
use orch_core::id::{AttemptId, CommitHash, RunId, TaskId};
use orch_core::task::TaskState;
use orch_core::worktree::{Worktree, WorktreeState};

use super::{count_column, count_or_null, id_list, name_column, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT attempt_id, run_id, state, path, branch, base_commit, behind, head_commit, merged_commit, changes, slot,
            salvage, updated_at, fell_off, continues FROM worktree ",
            $rest
        )
    };
}

statements! {
    const INSERT = "INSERT INTO worktree (attempt_id, run_id, state, path, branch, base_commit, behind, head_commit,
        merged_commit, changes, slot, salvage, updated_at, continues)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    const SAVE = "UPDATE worktree SET state = $2, path = $3, head_commit = $4, merged_commit = $5, changes = $6, salvage = $7,
        updated_at = $8, fell_off = $9, base_commit = $10 WHERE attempt_id = $1";
    const SAVE_SLOT = "UPDATE worktree SET slot = $2 WHERE attempt_id = $1";
    const LOAD = select!("WHERE attempt_id = $1");
    const LOAD_MANY = select!("WHERE attempt_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY attempt_id");
    const OF_RUN =
        select!("INDEXED BY worktree_run WHERE run_id = $1 AND attempt_id > $2 ORDER BY attempt_id LIMIT $3");
    const THERE =
        select!("INDEXED BY worktree_there WHERE run_id = $1 AND state != 'removed' ORDER BY attempt_id");
    const UNMERGED =
        "SELECT a.id FROM worktree w INDEXED BY worktree_run JOIN attempt a ON a.id = w.attempt_id
        JOIN task t ON t.id = a.task_id AND t.attempt_id = a.id
        WHERE w.run_id = $1 AND w.merged_commit IS NULL AND (t.state = $2 OR w.fell_off = 1) ORDER BY t.id";
    const MERGED = select!("INDEXED BY worktree_run WHERE run_id = $1 AND merged_commit IS NOT NULL ORDER BY attempt_id");
    const MARK_FALLEN = "UPDATE worktree SET fell_off = CASE WHEN attempt_id IN
        (SELECT CAST(value AS BIGINT) FROM json_each($2)) THEN 1 ELSE 0 END
        WHERE run_id = $1 AND merged_commit IS NOT NULL";
    const UNMERGE_FALLEN = "UPDATE worktree SET merged_commit = NULL WHERE run_id = $1 AND fell_off = 1";
    const FALLEN = "SELECT t.id FROM worktree w JOIN task t ON t.attempt_id = w.attempt_id
        WHERE w.run_id = $1 AND w.fell_off = 1 ORDER BY t.id";
    const COUNT = "SELECT count(*) FROM worktree WHERE run_id = $1";
    const COUNT_REWORK = "SELECT count(*) FROM attempt a JOIN worktree w ON w.attempt_id = a.id
        JOIN attempt c ON c.task_id = a.task_id AND c.number = w.continues WHERE a.task_id = $1 AND c.state = $2";
    const SLOTS =
        "SELECT w.slot FROM attempt a INDEXED BY attempt_live JOIN worktree w ON w.attempt_id = a.id
        WHERE a.ended_at IS NULL ORDER BY w.slot";
    const AT = select!("WHERE path = $1 AND state != 'removed' ORDER BY attempt_id LIMIT 1");
    const PLACES = "SELECT w.path, w.branch, w.state, r.name || '/' || t.key || '.' || a.number,
        CASE WHEN a.ended_at IS NULL OR th.holder IS NOT NULL THEN 1 ELSE 0 END, a.id FROM run r
        JOIN worktree w INDEXED BY worktree_run ON w.run_id = r.id JOIN attempt a ON a.id = w.attempt_id
        JOIN task t ON t.id = a.task_id LEFT JOIN thread th ON th.id = a.thread_id WHERE r.repository = $1 ORDER BY w.attempt_id";
    const DEPENDENCIES =
        "SELECT w.attempt_id, w.run_id, w.state, w.path, w.branch, w.base_commit, w.behind, w.head_commit,
        w.merged_commit, w.changes, w.slot, w.salvage, w.updated_at, w.fell_off, w.continues
        FROM dependency d JOIN task t ON t.id = d.on_id JOIN worktree w ON w.attempt_id = t.attempt_id
        WHERE d.task_id = $1 ORDER BY d.on_id";
    const COMMITS_FOR_READY =
        "SELECT d.task_id, coalesce(w.merged_commit, w.head_commit, w.base_commit)
        FROM task t INDEXED BY task_state JOIN dependency d ON d.task_id = t.id JOIN task o ON o.id = d.on_id
        JOIN worktree w ON w.attempt_id = o.attempt_id
        WHERE t.run_id = $1 AND t.state = 'ready' ORDER BY d.task_id, d.on_id";
}

fn worktree_from_row(row: &dyn SqlRow) -> Result<Worktree, Fault> {
    let commit = |column| Ok::<_, Fault>(row.text_or_null(column)?.map(CommitHash::from_stored));
    Ok(Worktree {
        attempt: AttemptId(row.int(0)?),
        run: RunId(row.int(1)?),
        state: name_column(row, 2, "worktree", WorktreeState::parse)?,
        path: row.text(3)?,
        branch: row.text(4)?,
        base: CommitHash::from_stored(row.text(5)?),
        behind: count_column(row, 6)?,
        head: commit(7)?,
        merged: commit(8)?,
        changes: row.text_or_null(9)?,
        slot: count_column(row, 10)?,
        salvage: row.text_or_null(11)?,
        updated_at: time_column(row, 12)?,
        fell_off: row.int(13)? != 0,
        continues: count_or_null(row, 14)?,
    })
}

/// Inserts a worktree.
pub fn insert(tx: &mut Transaction<'_>, tree: &Worktree) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 14] = [
        tree.attempt.0.into(),
        tree.run.0.into(),
        tree.state.name().into(),
        tree.path.as_str().into(),
        tree.branch.as_str().into(),
        tree.base.as_str().into(),
        tree.behind.into(),
        tree.head.as_ref().map(CommitHash::as_str).into(),
        tree.merged.as_ref().map(CommitHash::as_str).into(),
        tree.changes.as_deref().into(),
        tree.slot.into(),
        tree.salvage.as_deref().into(),
        tree.updated_at.0.into(),
        tree.continues.into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Updates the mutable columns of a worktree.
pub fn save(tx: &mut Transaction<'_>, tree: &Worktree) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 10] = [
        tree.attempt.0.into(),
        tree.state.name().into(),
        tree.path.as_str().into(),
        tree.head.as_ref().map(CommitHash::as_str).into(),
        tree.merged.as_ref().map(CommitHash::as_str).into(),
        tree.changes.as_deref().into(),
        tree.salvage.as_deref().into(),
        tree.updated_at.0.into(),
        i64::from(tree.fell_off).into(),
        tree.base.as_str().into(),
    ];
    tx.execute(SAVE, &values).map(|_| ())
}

/// Gives a worktree another slot.
pub fn save_slot(tx: &mut Transaction<'_>, attempt: AttemptId, slot: u32) -> Result<(), Fault> {
    tx.execute(SAVE_SLOT, &[attempt.0.into(), slot.into()]).map(|_| ())
}

/// Loads the worktree of an attempt.
pub fn load(tx: &mut Transaction<'_>, attempt: AttemptId) -> Result<Option<Worktree>, Fault> {
    tx.query_first(LOAD, &[attempt.0.into()], worktree_from_row)
}

/// Lists the worktrees of a run behind one, oldest first.
pub fn list_by_run(
    tx: &mut Transaction<'_>,
    run: RunId,
    after: AttemptId,
    limit: u32,
) -> Result<Vec<Worktree>, Fault> {
    tx.query_all(OF_RUN, &[run.0.into(), after.0.into(), limit.into()], worktree_from_row)
}

/// Lists the worktrees of a run that are planned or present, oldest first.
pub fn list_not_removed(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<Worktree>, Fault> {
    tx.query_all(THERE, &[run.0.into()], worktree_from_row)
}

/// Lists the last attempts of a run's tasks in this state that are not on the run's branch, by task; also those that fell off it and must be merged again.
pub fn list_unmerged_attempts(
    tx: &mut Transaction<'_>,
    run: RunId,
    state: TaskState,
) -> Result<Vec<AttemptId>, Fault> {
    tx.query_all(UNMERGED, &[run.0.into(), state.name().into()], |row| row.int(0).map(AttemptId))
}

/// Lists the worktrees of a run whose commits are recorded as merged, oldest first.
pub fn list_merged(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<Worktree>, Fault> {
    tx.query_all(MERGED, &[run.0.into()], worktree_from_row)
}

/// Marks the merged attempts of a run whose commits are no longer on its branch, and unmarks the others.
pub fn mark_fallen(tx: &mut Transaction<'_>, run: RunId, attempts: &[AttemptId]) -> Result<(), Fault> {
    let attempts = id_list(attempts.iter().map(|id| id.0));
    tx.execute(MARK_FALLEN, &[run.0.into(), attempts.as_str().into()]).map(|_| ())
}

/// Records that the attempts of a run that fell off its branch are not merged.
pub fn unmerge_fallen(tx: &mut Transaction<'_>, run: RunId) -> Result<(), Fault> {
    tx.execute(UNMERGE_FALLEN, &[run.0.into()]).map(|_| ())
}

/// Lists the tasks of a run whose last attempt was merged and is no longer on the run's branch.
pub fn list_fallen_tasks(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<TaskId>, Fault> {
    tx.query_all(FALLEN, &[run.0.into()], |row| row.int(0).map(TaskId))
}

/// Counts the worktrees of a run, including removed ones.
pub fn count(tx: &mut Transaction<'_>, run: RunId) -> Result<i64, Fault> {
    tx.query_number(COUNT, &[run.0.into()])
}

/// Counts the attempts of a task that continue a rejected one.
pub fn count_rework(tx: &mut Transaction<'_>, task: TaskId) -> Result<i64, Fault> {
    tx.query_number(COUNT_REWORK, &[task.0.into(), AttemptState::Rejected.name().into()])
}

/// Loads the worktree that is planned or present at a path.
pub fn load_by_path(tx: &mut Transaction<'_>, path: &str) -> Result<Option<Worktree>, Fault> {
    tx.query_first(AT, &[path.into()], worktree_from_row)
}

/// The folder, branch and references of an attempt in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLocation {
    /// Its folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
    /// The state of its worktree.
    pub state: WorktreeState,
    /// The name of its references below their prefix: `RUN/KEY.N`.
    pub leaf: String,
    /// Whether the attempt is live, or its thread claimed.
    pub is_used: bool,
    /// The attempt.
    pub attempt: AttemptId,
}

/// Lists the locations of all attempts in a repository, oldest first.
pub fn list_locations(tx: &mut Transaction<'_>, repository: &str) -> Result<Vec<AttemptLocation>, Fault> {
    tx.query_all(PLACES, &[repository.into()], |row| {
        Ok(AttemptLocation {
            path: row.text(0)?,
            branch: row.text(1)?,
            state: name_column(row, 2, "worktree", WorktreeState::parse)?,
            leaf: row.text(3)?,
            is_used: row.int(4)? != 0,
            attempt: AttemptId(row.int(5)?),
        })
    })
}

/// Returns the slots of live attempts, in order.
pub fn used_slots(tx: &mut Transaction<'_>) -> Result<Vec<u32>, Fault> {
    tx.query_all(SLOTS, &[], |row| count_column(row, 0))
}

/// Lists the worktrees of the last attempts of a task's dependencies, oldest dependency first.
pub fn list_of_dependencies(tx: &mut Transaction<'_>, task: TaskId) -> Result<Vec<Worktree>, Fault> {
    tx.query_all(DEPENDENCIES, &[task.0.into()], worktree_from_row)
}

/// Lists the accepted commits that the ready tasks of a run depend on, by task and then by age of the dependency.
pub fn list_commits_for_ready(
    tx: &mut Transaction<'_>,
    run: RunId,
) -> Result<Vec<(TaskId, CommitHash)>, Fault> {
    tx.query_all(COMMITS_FOR_READY, &[run.0.into()], |row| {
        Ok((TaskId(row.int(0)?), CommitHash::from_stored(row.text(1)?)))
    })
}

/// Loads the worktrees of several attempts, in the order of the attempts; attempts without one are left out.
pub fn load_many(tx: &mut Transaction<'_>, attempts: &[AttemptId]) -> Result<Vec<Worktree>, Fault> {
    let attempts = id_list(attempts.iter().map(|id| id.0));
    tx.query_all(LOAD_MANY, &[attempts.as_str().into()], worktree_from_row)
}
