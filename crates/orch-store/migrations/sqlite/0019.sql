-- What was used, by attempt, profile, session and day. The rows outlive their run, whose id is then 0.
CREATE TABLE usage_entry (
    id           INTEGER PRIMARY KEY,
    thread_id    INTEGER NOT NULL,
    profile      TEXT NOT NULL,
    session      TEXT NOT NULL,
    day          INTEGER NOT NULL,
    run_id       INTEGER NOT NULL,
    run          TEXT NOT NULL,
    task         TEXT NOT NULL,
    agent        TEXT NOT NULL,
    cost_micros  INTEGER,
    cost_source  TEXT NOT NULL,
    input        INTEGER,
    cached_input INTEGER,
    output       INTEGER,
    wall_ms      INTEGER NOT NULL,
    CHECK ((input IS NULL) = (output IS NULL) AND (input IS NULL) = (cached_input IS NULL))
) STRICT;

CREATE UNIQUE INDEX usage_entry_subject ON usage_entry (thread_id, profile, session, day);
CREATE INDEX usage_entry_run ON usage_entry (run_id, thread_id);
CREATE INDEX usage_entry_day ON usage_entry (day);
CREATE INDEX usage_entry_session ON usage_entry (session) WHERE session != '';

-- Older stores know the sum of the tokens alone.
INSERT INTO usage_entry (thread_id, profile, session, day, run_id, run, task, agent, cost_micros, cost_source,
    input, cached_input, output, wall_ms)
    SELECT w.thread_id, coalesce(w.profile, ''), coalesce(w.session, ''), w.started_at / 86400000, r.id, r.name, k.key, t.to_agent,
        CASE WHEN w.cost_micros > 0 THEN w.cost_micros END, CASE WHEN w.cost_micros > 0 THEN 'reported' ELSE 'unknown' END,
        CASE WHEN w.tokens > 0 THEN w.tokens END, CASE WHEN w.tokens > 0 THEN 0 END, CASE WHEN w.tokens > 0 THEN 0 END,
        coalesce(w.ended_at, w.started_at) - w.started_at
    FROM worker w JOIN thread t ON t.id = w.thread_id JOIN task k ON k.id = t.task_id JOIN run r ON r.id = t.run_id;
ALTER TABLE worker DROP COLUMN tokens;
ALTER TABLE worker DROP COLUMN cost_micros;

-- The parts of the tokens, and whether any cost and any tokens are known.
ALTER TABLE run ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN cost_known INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN tokens_known INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN cost_known INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN tokens_known INTEGER NOT NULL DEFAULT 0;
UPDATE run SET cost_known = CASE WHEN cost_micros > 0 THEN 1 ELSE 0 END, tokens_known = CASE WHEN tokens > 0 THEN 1 ELSE 0 END;
UPDATE task SET cost_known = CASE WHEN cost_micros > 0 THEN 1 ELSE 0 END, tokens_known = CASE WHEN tokens > 0 THEN 1 ELSE 0 END;

-- The limits of each attempt, and what is set aside for it.
ALTER TABLE run ADD COLUMN attempt_wall_ms INTEGER;
ALTER TABLE run ADD COLUMN attempt_cost_micros INTEGER;
ALTER TABLE run ADD COLUMN attempt_tokens INTEGER;
ALTER TABLE run ADD COLUMN attempt_reserve_micros INTEGER;

UPDATE event SET kind = 'budget_warning' WHERE kind = 'budget';
