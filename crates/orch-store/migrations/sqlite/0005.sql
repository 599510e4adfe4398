-- The anchor of the store's clock: one row, without a boot until something is written.
CREATE TABLE store_clock (
    row_number   INTEGER PRIMARY KEY CHECK (row_number = 1),
    boot         TEXT NOT NULL,
    boot_ms      INTEGER NOT NULL,
    time_ms      INTEGER NOT NULL,
    step_ms      INTEGER,
    step_seen_ms INTEGER,
    CHECK ((step_ms IS NULL) = (step_seen_ms IS NULL))
) STRICT;

INSERT INTO store_clock VALUES (1, '', 0, 0, NULL, NULL);
