-- Which store this is, where it lies, and which repository it serves.

CREATE TABLE store_identity (
    number     INTEGER PRIMARY KEY CHECK (number = 1),
    id         TEXT NOT NULL,
    path       TEXT NOT NULL,
    device     INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    machine    TEXT NOT NULL,
    repository TEXT
) STRICT;
