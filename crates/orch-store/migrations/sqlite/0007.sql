-- What a check tree keeps, and what its setup depends on and may change.
ALTER TABLE run ADD COLUMN check_cache TEXT;
ALTER TABLE run ADD COLUMN setup_key TEXT;
ALTER TABLE run ADD COLUMN setup_may_change TEXT;
