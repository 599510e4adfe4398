-- Worktrees, checks and merges, and what is to be done outside the store.

-- What a run with worktrees stands on, what judges its attempts, and what it may spend.
ALTER TABLE run ADD COLUMN repository TEXT;
ALTER TABLE run ADD COLUMN base_commit TEXT;
ALTER TABLE run ADD COLUMN base_branch TEXT;
ALTER TABLE run ADD COLUMN branch TEXT;
ALTER TABLE run ADD COLUMN branch_prefix TEXT;
ALTER TABLE run ADD COLUMN worktree_root TEXT;
ALTER TABLE run ADD COLUMN baseline TEXT;
ALTER TABLE run ADD COLUMN verify TEXT;
ALTER TABLE run ADD COLUMN setup TEXT;
ALTER TABLE run ADD COLUMN copy TEXT;
ALTER TABLE run ADD COLUMN protect TEXT;
ALTER TABLE run ADD COLUMN check_limit_ms INTEGER NOT NULL DEFAULT 1800000;
ALTER TABLE run ADD COLUMN max_wall_ms INTEGER;
ALTER TABLE run ADD COLUMN max_cost_micros INTEGER;
ALTER TABLE run ADD COLUMN max_tokens INTEGER;
ALTER TABLE run ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;

-- An attempt has no thread until its worktree is there.
CREATE TABLE attempt_with_trees (
    id         INTEGER PRIMARY KEY,
    run_id     INTEGER NOT NULL,
    task_id    INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    agent      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('preparing', 'dispatched', 'running', 'blocked', 'reported', 'accepted', 'rejected', 'failed', 'lost', 'recalled', 'cancelled')),
    thread_id  INTEGER,
    outcome_id INTEGER,
    reason     TEXT,
    releases   INTEGER NOT NULL,
    checks     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;
INSERT INTO attempt_with_trees SELECT id, run_id, task_id, number, agent, state, thread_id, outcome_id, reason, releases, checks, created_at, ended_at FROM attempt;
DROP TABLE attempt;
ALTER TABLE attempt_with_trees RENAME TO attempt;
CREATE UNIQUE INDEX attempt_number ON attempt (task_id, number);
CREATE INDEX attempt_live ON attempt (id) WHERE ended_at IS NULL;

-- What an attempt is judged by, and the end of what refused it.
CREATE TABLE attempt_text (
    attempt_id  INTEGER PRIMARY KEY,
    run_verify  TEXT,
    task_verify TEXT,
    log_tail    TEXT
) STRICT;

CREATE TABLE worktree (
    attempt_id    INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('planned', 'present', 'removed')),
    path          TEXT NOT NULL,
    branch        TEXT NOT NULL,
    base_commit   TEXT NOT NULL,
    behind        INTEGER NOT NULL,
    head_commit   TEXT,
    merged_commit TEXT,
    changes       TEXT,
    slot          INTEGER NOT NULL,
    salvage       TEXT,
    updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX worktree_run ON worktree (run_id, attempt_id);
CREATE INDEX worktree_there ON worktree (run_id, attempt_id) WHERE state != 'removed';

-- What a thread asks of a worktree before its holder may close it as done, and what was found then.
CREATE TABLE thread_condition (
    thread_id    INTEGER PRIMARY KEY,
    tree         TEXT NOT NULL,
    branch       TEXT NOT NULL,
    base_commit  TEXT NOT NULL,
    needs_commit INTEGER NOT NULL,
    head_commit  TEXT,
    changes      TEXT
) STRICT;

CREATE TABLE check_run (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL,
    attempt_id  INTEGER,
    stage       TEXT NOT NULL,
    source      TEXT NOT NULL,
    command     TEXT NOT NULL,
    commit_id   TEXT NOT NULL,
    state       TEXT NOT NULL,
    exit_status INTEGER,
    message     TEXT,
    duration_ms INTEGER NOT NULL,
    log         TEXT,
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX check_run_attempt ON check_run (attempt_id, id) WHERE attempt_id IS NOT NULL;
CREATE INDEX check_run_stage ON check_run (run_id, stage, id);

-- What is to be done outside the store; a row is taken away when it was done.
CREATE TABLE effect (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    run_id     INTEGER NOT NULL,
    attempt_id INTEGER,
    host       TEXT,
    process    TEXT,
    held_until INTEGER,
    taken      INTEGER NOT NULL,
    intent     TEXT,
    created_at INTEGER NOT NULL,
    CHECK ((host IS NULL) = (process IS NULL) AND (host IS NULL) = (held_until IS NULL))
) STRICT;

CREATE UNIQUE INDEX effect_subject ON effect (run_id, kind, coalesce(attempt_id, 0));

-- A request whose effects are under way has no answer yet, but knows what it was about.
ALTER TABLE request ADD COLUMN subject TEXT;
