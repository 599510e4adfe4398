-- Evidence: what a check ran on, whether its result was taken over, and who caused an event.
ALTER TABLE check_run ADD COLUMN tree TEXT;
ALTER TABLE check_run ADD COLUMN reused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE check_run ADD COLUMN flaky INTEGER NOT NULL DEFAULT 0;

ALTER TABLE event ADD COLUMN by_agent TEXT;
ALTER TABLE event ADD COLUMN by_user TEXT;
ALTER TABLE event ADD COLUMN by_host TEXT;

-- How a run treats the results of its checks.
ALTER TABLE run ADD COLUMN check_by TEXT NOT NULL DEFAULT 'tree';
ALTER TABLE run ADD COLUMN check_retries INTEGER NOT NULL DEFAULT 1;
ALTER TABLE run ADD COLUMN flaky TEXT NOT NULL DEFAULT 'pass';

-- Known results of checks, by the digest of everything that they may depend on.
CREATE TABLE check_result (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL,
    key         TEXT NOT NULL,
    attempt_id  INTEGER,
    state       TEXT NOT NULL CHECK (state IN ('passed', 'failed')),
    flaky       INTEGER NOT NULL,
    exit_status INTEGER,
    message     TEXT,
    duration_ms INTEGER NOT NULL,
    log         TEXT,
    tail        TEXT,
    series      TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX check_result_key ON check_result (run_id, key);
CREATE INDEX check_result_age ON check_result (run_id, id);
