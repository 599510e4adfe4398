-- A worker whose question was answered starts again when the supervisor has a slot for it.
ALTER TABLE worker ADD COLUMN awaits_slot INTEGER NOT NULL DEFAULT 0;
