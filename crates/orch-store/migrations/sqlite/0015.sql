-- How many rejected attempts of a task are continued in their sessions and worktrees.
ALTER TABLE run ADD COLUMN rework INTEGER NOT NULL DEFAULT 1;

-- The number of the rejected attempt of the task that this worktree was handed over from.
ALTER TABLE worktree ADD COLUMN continues INTEGER;
