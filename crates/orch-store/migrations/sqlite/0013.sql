-- The folder in which the workers of a run without worktrees are started.
ALTER TABLE run ADD COLUMN folder TEXT;
