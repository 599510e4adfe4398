-- The failures of a pending operation: counted ones, others in a row, when it is tried again, and the last error as JSON.
ALTER TABLE effect ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effect ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effect ADD COLUMN retry_at INTEGER;
ALTER TABLE effect ADD COLUMN failure TEXT;

-- Endings that are not failures: how often a task's work was given back, and how often the tool could not do its part.
ALTER TABLE task ADD COLUMN releases INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;
