-- A worktree may also be in the attic.
CREATE TABLE worktree_with_attic (
    attempt_id    INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('planned', 'present', 'removed', 'attic')),
    path          TEXT NOT NULL,
    branch        TEXT NOT NULL,
    base_commit   TEXT NOT NULL,
    behind        INTEGER NOT NULL,
    head_commit   TEXT,
    merged_commit TEXT,
    changes       TEXT,
    slot          INTEGER NOT NULL,
    salvage       TEXT,
    updated_at    INTEGER NOT NULL,
    fell_off      INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO worktree_with_attic
    SELECT attempt_id, run_id, state, path, branch, base_commit, behind, head_commit, merged_commit, changes, slot, salvage,
        updated_at, fell_off FROM worktree;
DROP TABLE worktree;
ALTER TABLE worktree_with_attic RENAME TO worktree;
CREATE INDEX worktree_run ON worktree (run_id, attempt_id);
CREATE INDEX worktree_there ON worktree (run_id, attempt_id) WHERE state != 'removed';

-- Damaged worktrees that were moved aside; they outlive their runs.
CREATE TABLE attic (
    path       TEXT PRIMARY KEY,
    run        TEXT NOT NULL,
    attempt    TEXT NOT NULL,
    repository TEXT NOT NULL,
    reason     TEXT NOT NULL,
    moved_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
