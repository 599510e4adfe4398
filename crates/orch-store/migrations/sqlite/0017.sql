-- Tasks that the lead holds back: they are not dispatched.
ALTER TABLE task ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX task_held ON task (run_id) WHERE state = 'ready' AND held = 1;
