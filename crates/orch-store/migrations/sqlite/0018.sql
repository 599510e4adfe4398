-- The merge conflict that a task resolves: the commit that its worktree merges, as a JSON document.
ALTER TABLE task_text ADD COLUMN conflict TEXT;
CREATE INDEX task_text_conflict ON task_text (task_id) WHERE conflict IS NOT NULL;
-- A commit that the head of the worktree must contain besides its base.
ALTER TABLE thread_condition ADD COLUMN merges TEXT;
