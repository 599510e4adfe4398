-- One cooldown per profile: its cause, its episode, and who told its end.
DROP TABLE profile_rest;
CREATE TABLE profile_cooldown (
    profile          TEXT PRIMARY KEY,
    cause            TEXT NOT NULL,
    since            INTEGER NOT NULL,
    until            INTEGER,
    told_by_provider INTEGER NOT NULL,
    episodes         INTEGER NOT NULL,
    quick_failures   INTEGER NOT NULL,
    reason           TEXT,
    run_id           INTEGER,
    is_over          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
