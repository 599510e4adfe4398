-- The last landing of a run, as JSON.
ALTER TABLE run ADD COLUMN landing TEXT;
