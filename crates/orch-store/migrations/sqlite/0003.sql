-- Processes that work on threads, supervisors, and profiles that rest.

-- The last process that was started on a thread by a wrapper of ours.
CREATE TABLE worker (
    thread_id   INTEGER PRIMARY KEY,
    agent       TEXT NOT NULL,
    host        TEXT NOT NULL,
    process     TEXT NOT NULL,
    tag         TEXT NOT NULL,
    profile     TEXT,
    log         TEXT NOT NULL,
    grace_ms    INTEGER NOT NULL,
    session     TEXT,
    started_at  INTEGER NOT NULL,
    output_at   INTEGER,
    commit_at   INTEGER,
    silent      INTEGER NOT NULL,
    activity    TEXT,
    tokens      INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    report      TEXT,
    ended_at    INTEGER,
    outcome     TEXT,
    detail      TEXT,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;

CREATE INDEX worker_live ON worker (thread_id) WHERE ended_at IS NULL;

-- Supervisors under way; run_id 0 is all runs.
CREATE TABLE supervisor (
    process    TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    run_id     INTEGER NOT NULL,
    log        TEXT,
    started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a profile's workers ran into lately, and until when none is started.
CREATE TABLE profile_rest (
    profile  TEXT PRIMARY KEY,
    until    INTEGER,
    failures INTEGER NOT NULL,
    reason   TEXT,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the attempts of a run have spent.
ALTER TABLE run ADD COLUMN cost_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN cost_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
UPDATE run SET attempts = (SELECT count(*) FROM attempt WHERE attempt.run_id = run.id);

-- How much more than by time, cost and tokens of the whole a run may be bounded.
ALTER TABLE run ADD COLUMN max_attempts_all INTEGER;
ALTER TABLE run ADD COLUMN task_wall_ms INTEGER;
ALTER TABLE run ADD COLUMN task_cost_micros INTEGER;
ALTER TABLE run ADD COLUMN task_tokens INTEGER;
