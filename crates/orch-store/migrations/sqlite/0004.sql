-- Numbers that are never given again, although what had them was forgotten: the highest of each kind.
CREATE TABLE floor (
    name TEXT PRIMARY KEY,
    id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
