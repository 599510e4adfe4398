-- The variables that checks get besides those that workers get, and whether they get all, as they did before.
ALTER TABLE run ADD COLUMN check_env TEXT;
ALTER TABLE run ADD COLUMN inherits_env INTEGER NOT NULL DEFAULT 0;
UPDATE run SET inherits_env = 1;

-- The variables that a failed check did not get and that it mentions.
ALTER TABLE check_run ADD COLUMN env_not_passed TEXT;
ALTER TABLE check_result ADD COLUMN env_not_passed TEXT;
