-- Where orch left the branch of a run, where an event has told that others moved it, and what then happens.
ALTER TABLE run ADD COLUMN branch_tip TEXT;
ALTER TABLE run ADD COLUMN branch_seen TEXT;
ALTER TABLE run ADD COLUMN on_branch_move TEXT NOT NULL DEFAULT 'check';
-- Whether commits of ours carry trailers, and whether the user's hooks run for our merges.
ALTER TABLE run ADD COLUMN trailers INTEGER NOT NULL DEFAULT 1;
ALTER TABLE run ADD COLUMN run_hooks INTEGER NOT NULL DEFAULT 0;
-- Whether the commit of a merged attempt is no longer on the run's branch.
ALTER TABLE worktree ADD COLUMN fell_off INTEGER NOT NULL DEFAULT 0;

-- The last merge into the branch of an older run left it there.
UPDATE run SET branch_tip = coalesce(
    (SELECT merged_commit FROM worktree WHERE worktree.run_id = run.id AND merged_commit IS NOT NULL
        ORDER BY updated_at DESC, attempt_id DESC LIMIT 1),
    base_commit);

UPDATE run SET pause_reason = 'user' WHERE pause_reason = 'requested';
UPDATE event SET kind = 'paused' WHERE kind = 'run_paused';
