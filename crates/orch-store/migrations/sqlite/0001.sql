-- The first schema. Times are milliseconds since 1970 in UTC, lists are JSON arrays, names of agents are text.
-- No state is decided here: the checks repeat what the rules in orch-core guarantee.

CREATE TABLE agent (
    name           TEXT PRIMARY KEY,
    last_seen_at   INTEGER,
    message_cursor INTEGER NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far a lead has acknowledged events; run_id 0 is the whole store.
CREATE TABLE event_cursor (
    agent    TEXT NOT NULL,
    run_id   INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    PRIMARY KEY (agent, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE thread (
    id                   INTEGER PRIMARY KEY,
    kind                 TEXT NOT NULL CHECK (kind IN ('work', 'note')),
    subject              TEXT NOT NULL,
    from_agent           TEXT NOT NULL,
    to_agent             TEXT NOT NULL,
    priority             INTEGER NOT NULL,
    lease_ms             INTEGER NOT NULL,
    answer_after_ms      INTEGER,
    run_id               INTEGER,
    task_id              INTEGER,
    attempt_id           INTEGER,
    state                TEXT NOT NULL CHECK (state IN ('queued', 'claimed', 'blocked', 'done', 'failed', 'cancelled')),
    withdrawn            INTEGER NOT NULL,
    holder               TEXT,
    token                TEXT,
    held_lease_ms        INTEGER,
    expires_at           INTEGER,
    lost_at              INTEGER,
    question_id          INTEGER,
    default_at           INTEGER,
    answered_question_id INTEGER,
    answer_id            INTEGER,
    closing_id           INTEGER,
    releases             INTEGER NOT NULL,
    shown_id             INTEGER NOT NULL,
    message_count        INTEGER NOT NULL,
    news                 INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    CHECK ((holder IS NOT NULL) = (state IN ('claimed', 'blocked'))),
    CHECK ((expires_at IS NOT NULL) = (state = 'claimed')),
    CHECK ((question_id IS NOT NULL) = (state = 'blocked'))
) STRICT;

CREATE INDEX thread_queue ON thread (to_agent, priority, id) WHERE kind = 'work' AND state = 'queued' AND withdrawn = 0;
CREATE INDEX thread_lapsing ON thread (to_agent, lost_at) WHERE state = 'claimed' AND attempt_id IS NULL;
CREATE INDEX thread_owned_lapsing ON thread (lost_at) WHERE state = 'claimed' AND attempt_id IS NOT NULL;
CREATE INDEX thread_defaulting ON thread (default_at) WHERE default_at IS NOT NULL;
CREATE INDEX thread_news ON thread (id) WHERE news = 1;
CREATE INDEX thread_held ON thread (holder) WHERE holder IS NOT NULL;
CREATE INDEX thread_order ON thread (priority, id);
CREATE INDEX thread_to ON thread (to_agent, priority, id);

-- Every token that was ever given for a thread, as a digest.
CREATE TABLE lease_token (
    thread_id  INTEGER NOT NULL,
    token      TEXT NOT NULL,
    holder     TEXT NOT NULL,
    claimed_at INTEGER NOT NULL,
    PRIMARY KEY (thread_id, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    id             INTEGER PRIMARY KEY,
    thread_id      INTEGER NOT NULL,
    from_agent     TEXT NOT NULL,
    to_agent       TEXT NOT NULL,
    kind           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    percent        INTEGER,
    artifacts      TEXT,
    options        TEXT,
    default_answer TEXT,
    body           TEXT NOT NULL,
    payload        TEXT
) STRICT;

CREATE INDEX message_thread ON message (thread_id, id);
CREATE INDEX message_to ON message (to_agent, id);

CREATE TABLE run (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    title           TEXT NOT NULL,
    goal            TEXT,
    state           TEXT NOT NULL CHECK (state IN ('open', 'paused', 'finished', 'cancelled')),
    outcome         TEXT,
    pause_reason    TEXT,
    pause_message   TEXT,
    paused_at       INTEGER,
    pause_until     INTEGER,
    done_when       TEXT NOT NULL,
    max_active      INTEGER,
    max_attempts    INTEGER NOT NULL,
    retry_delay_ms  INTEGER NOT NULL,
    lease_ms        INTEGER NOT NULL,
    answer_after_ms INTEGER,
    keys_made       INTEGER NOT NULL,
    waiting         INTEGER NOT NULL,
    ready           INTEGER NOT NULL,
    dispatched      INTEGER NOT NULL,
    running         INTEGER NOT NULL,
    blocked         INTEGER NOT NULL,
    reported        INTEGER NOT NULL,
    done            INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    skipped         INTEGER NOT NULL,
    cancelled       INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    CHECK ((outcome IS NOT NULL) = (state = 'finished')),
    CHECK ((pause_reason IS NOT NULL) = (state = 'paused'))
) STRICT;

CREATE INDEX run_unfinished ON run (id) WHERE state IN ('open', 'paused');

CREATE TABLE task (
    id             INTEGER PRIMARY KEY,
    run_id         INTEGER NOT NULL,
    key            TEXT NOT NULL,
    title          TEXT NOT NULL,
    priority       INTEGER NOT NULL,
    labels         TEXT,
    agent          TEXT,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'ready', 'dispatched', 'running', 'blocked', 'reported', 'done', 'failed', 'skipped', 'cancelled')),
    unmet          INTEGER NOT NULL CHECK (unmet >= 0),
    broken         INTEGER NOT NULL CHECK (broken >= 0),
    rank           INTEGER NOT NULL,
    not_before     INTEGER,
    attempt_id     INTEGER,
    attempt_number INTEGER,
    failures       INTEGER NOT NULL,
    losses         INTEGER NOT NULL,
    max_attempts   INTEGER,
    allow_empty    INTEGER NOT NULL,
    checks         TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CHECK (state != 'ready' OR (unmet = 0 AND broken = 0)),
    CHECK (state != 'waiting' OR (unmet > 0 AND broken = 0)),
    CHECK (state != 'skipped' OR broken > 0)
) STRICT;

CREATE UNIQUE INDEX task_key ON task (run_id, key);
CREATE INDEX task_order ON task (run_id, id);
CREATE INDEX task_state ON task (run_id, state, id);
CREATE INDEX task_ready ON task (run_id, priority, rank DESC, id) WHERE state = 'ready';
CREATE INDEX task_live ON task (run_id, rank DESC, id) WHERE state IN ('dispatched', 'running', 'blocked', 'reported');
CREATE INDEX task_backoff ON task (run_id, not_before) WHERE state = 'ready' AND not_before IS NOT NULL;

CREATE TABLE task_text (
    task_id INTEGER PRIMARY KEY,
    accept  TEXT,
    verify  TEXT,
    spec    TEXT
) STRICT;

CREATE TABLE task_label (
    run_id  INTEGER NOT NULL,
    label   TEXT NOT NULL,
    task_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, label, task_id)
) STRICT, WITHOUT ROWID;

-- task_id waits for on_id.
CREATE TABLE dependency (
    task_id INTEGER NOT NULL,
    on_id   INTEGER NOT NULL,
    PRIMARY KEY (task_id, on_id),
    CHECK (task_id != on_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX dependency_on ON dependency (on_id, task_id);

CREATE TABLE attempt (
    id         INTEGER PRIMARY KEY,
    run_id     INTEGER NOT NULL,
    task_id    INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    agent      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('preparing', 'dispatched', 'running', 'blocked', 'reported', 'accepted', 'rejected', 'failed', 'lost', 'recalled', 'cancelled')),
    thread_id  INTEGER NOT NULL,
    outcome_id INTEGER,
    reason     TEXT,
    releases   INTEGER NOT NULL,
    checks     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;

CREATE UNIQUE INDEX attempt_number ON attempt (task_id, number);

CREATE TABLE event (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    run_id     INTEGER,
    task_id    INTEGER,
    attempt_id INTEGER,
    thread_id  INTEGER,
    agent      TEXT,
    data       TEXT NOT NULL,
    wakes      INTEGER NOT NULL
) STRICT;

CREATE INDEX event_run ON event (run_id, id);
CREATE INDEX event_task ON event (task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX event_wakes ON event (run_id, kind, id) WHERE wakes = 1;

-- Answers to requests that may be repeated; the key is kept as a digest.
CREATE TABLE request (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    at          INTEGER NOT NULL,
    answer      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX request_at ON request (at);
