-- Which attempts wait for a person's review after their checks; NULL of a task is what its run says.
ALTER TABLE run ADD COLUMN review TEXT NOT NULL DEFAULT 'none';
ALTER TABLE task_text ADD COLUMN review TEXT;
