//! Consistency laws of the store, as queries that return the violations; no row means that the law holds.
//!
//! `orch doctor` runs them, and so does every test that kills processes. docs/invariants.md explains them
//! and tells where the laws without a query are tested; a test below keeps both consistent.
//! They scan the whole store, so ordinary commands do not run them.

use crate::statement::statements;
use crate::{Fault, Statement, Transaction};

/// One law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreInvariant {
    /// Its stable name.
    pub name: &'static str,
    /// The law, in a sentence.
    pub law: &'static str,
    /// The query: one column, one row per violation.
    pub query: Statement,
}

/// A law with its violations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantViolation {
    /// The law.
    pub invariant: StoreInvariant,
    /// The violations: names of tasks, threads, …
    pub subjects: Vec<String>,
}

/// All laws, in the order of docs/invariants.md.
pub const ALL: [StoreInvariant; 29] = [
    StoreInvariant {
        name: "live_attempts",
        law: "A task has at most one live attempt, and has one exactly when its state says so.",
        query: LIVE_ATTEMPTS,
    },
    StoreInvariant {
        name: "held_threads",
        law: "A thread has a holder and a token exactly while it is claimed or blocked, and a lease exactly while it is claimed.",
        query: HELD_THREADS,
    },
    StoreInvariant {
        name: "live_tokens",
        law: "The live token of a thread was given to its holder.",
        query: LIVE_TOKENS,
    },
    StoreInvariant {
        name: "attempt_numbers",
        law: "A task's attempts are numbered 1, 2, 3 … without a gap, and the task names the newest.",
        query: ATTEMPT_NUMBERS,
    },
    StoreInvariant {
        name: "attempt_threads",
        law: "An attempt owns exactly one thread, which refers back to it; until its worktree exists it has none.",
        query: ATTEMPT_THREADS,
    },
    StoreInvariant {
        name: "ended_attempts",
        law: "An ended attempt has an end, and its thread is closed; a live one has no end.",
        query: ENDED_ATTEMPTS,
    },
    StoreInvariant {
        name: "attempt_states",
        law: "A task with a live attempt is in the attempt's state.",
        query: ATTEMPT_STATES,
    },
    StoreInvariant {
        name: "event_numbers",
        law: "Events are numbered 1, 2, 3 … without a gap.",
        query: EVENT_NUMBERS,
    },
    StoreInvariant {
        name: "task_history",
        law: "A task's last event that names a state names its state.",
        query: TASK_HISTORY,
    },
    StoreInvariant { name: "edge_ends", law: "A dependency joins two tasks of one run.", query: EDGE_ENDS },
    StoreInvariant {
        name: "ranks",
        law: "A task's rank is one more than the highest among its dependents, or 0; so no cycle is possible.",
        query: RANKS,
    },
    StoreInvariant {
        name: "dependency_counters",
        law: "A task's counters are what its dependencies come to.",
        query: DEPENDENCY_COUNTERS,
    },
    StoreInvariant {
        name: "run_counters",
        law: "A run's counters are what its tasks come to.",
        query: RUN_COUNTERS,
    },
    StoreInvariant {
        name: "started_tasks",
        law: "Every dependency of a task that has a live attempt, or is done, is done.",
        query: STARTED_TASKS,
    },
    StoreInvariant {
        name: "silent_stalls",
        law: "A run with unfinished tasks has one that is ready or has a live attempt, and a finished run has none unfinished.",
        query: SILENT_STALLS,
    },
    StoreInvariant {
        name: "cascades",
        law: "A task without a live attempt is skipped exactly as long as a dependency is failed, cancelled or skipped.",
        query: CASCADES,
    },
    StoreInvariant {
        name: "paused_offers",
        law: "A queued thread of a paused or cancelled run cannot be claimed once the run is reconciled.",
        query: PAUSED_OFFERS,
    },
    StoreInvariant {
        name: "thread_messages",
        law: "Every message belongs to a thread, and a thread knows how many it has.",
        query: THREAD_MESSAGES,
    },
    StoreInvariant {
        name: "cursors",
        law: "No cursor points past the newest message or event ever written.",
        query: CURSORS,
    },
    StoreInvariant {
        name: "questions",
        law: "A blocked thread names an unanswered question of its own; no question has two answers.",
        query: QUESTIONS,
    },
    StoreInvariant {
        name: "closing_messages",
        law: "A thread that its holder closed refers to its closing message.",
        query: CLOSING_MESSAGES,
    },
    StoreInvariant {
        name: "news",
        law: "A thread whose state differs from that of its live attempt is marked as changed.",
        query: NEWS,
    },
    StoreInvariant {
        name: "live_worktrees",
        law: "In a run with a base every attempt has a worktree: planned while it is preparing, present while it is live.",
        query: LIVE_WORKTREES,
    },
    StoreInvariant {
        name: "worktree_places",
        law: "No two live attempts share a slot; no two existing worktrees share a folder, or a branch of one repository.",
        query: WORKTREE_PLACES,
    },
    StoreInvariant {
        name: "worktree_runs",
        law: "A worktree belongs to an attempt of its run, which has a base.",
        query: WORKTREE_RUNS,
    },
    StoreInvariant {
        name: "merged_attempts",
        law: "An accepted attempt of a run whose tasks are done when integrated has its merge commit on the run's branch.",
        query: MERGED_ATTEMPTS,
    },
    StoreInvariant {
        name: "thread_conditions",
        law: "The condition of a thread matches the worktree of the thread's attempt.",
        query: THREAD_CONDITIONS,
    },
    StoreInvariant {
        name: "preparing_attempts",
        law: "An attempt is preparing exactly while the effect that prepares its worktree is pending.",
        query: PREPARING_ATTEMPTS,
    },
    StoreInvariant {
        name: "effects",
        law: "A pending effect belongs to an existing run or attempt; for an ended attempt only worktree effects are pending.",
        query: EFFECTS,
    },
];

statements! {
    const LIVE_ATTEMPTS = "SELECT r.name || '/' || t.key FROM task t JOIN run r ON r.id = t.run_id
WHERE (SELECT count(*) FROM attempt a WHERE a.task_id = t.id
    AND a.state IN ('preparing', 'dispatched', 'running', 'blocked', 'reported'))
    != CASE WHEN t.state IN ('dispatched', 'running', 'blocked', 'reported') THEN 1 ELSE 0 END
ORDER BY t.id";

    const HELD_THREADS = "SELECT 'th-' || id FROM thread
WHERE (holder IS NOT NULL) != (state IN ('claimed', 'blocked'))
    OR (token IS NOT NULL) != (state IN ('claimed', 'blocked', 'done', 'failed'))
    OR (expires_at IS NOT NULL) != (state = 'claimed')
    OR (lost_at IS NOT NULL) != (state = 'claimed')
    OR (held_lease_ms IS NOT NULL) != (state IN ('claimed', 'blocked'))
    OR lost_at < expires_at
ORDER BY id";

    const LIVE_TOKENS = "SELECT 'th-' || t.id FROM thread t
WHERE t.holder IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM lease_token l WHERE l.thread_id = t.id AND l.token = t.token AND l.holder = t.holder)
ORDER BY t.id";

    const ATTEMPT_NUMBERS = "SELECT r.name || '/' || t.key FROM task t JOIN run r ON r.id = t.run_id
WHERE t.id IN (SELECT task_id FROM attempt GROUP BY task_id HAVING min(number) != 1 OR max(number) != count(*))
    OR coalesce(t.attempt_number, 0) != (SELECT count(*) FROM attempt a WHERE a.task_id = t.id)
    OR (t.attempt_id IS NOT NULL) != (t.attempt_number IS NOT NULL)
    OR (t.attempt_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM attempt a WHERE a.id = t.attempt_id AND a.task_id = t.id AND a.number = t.attempt_number))
ORDER BY t.id";

    const ATTEMPT_THREADS =
        "SELECT 'attempt ' || a.id FROM attempt a LEFT JOIN thread h ON h.id = a.thread_id
WHERE (a.thread_id IS NULL AND a.state IN ('dispatched', 'running', 'blocked', 'reported', 'accepted', 'rejected', 'lost'))
    OR (a.thread_id IS NOT NULL AND (h.id IS NULL OR h.kind != 'work' OR h.attempt_id IS NULL
        OR h.attempt_id != a.id OR h.task_id != a.task_id OR h.run_id != a.run_id))
UNION ALL SELECT 'th-' || h.id FROM thread h LEFT JOIN attempt a ON a.id = h.attempt_id
WHERE h.attempt_id IS NOT NULL AND (a.id IS NULL OR a.thread_id != h.id)";

    const ENDED_ATTEMPTS =
        "SELECT 'attempt ' || a.id FROM attempt a LEFT JOIN thread h ON h.id = a.thread_id
WHERE (a.ended_at IS NULL) != (a.state IN ('preparing', 'dispatched', 'running', 'blocked', 'reported'))
    OR (a.ended_at IS NOT NULL AND h.state IN ('queued', 'claimed', 'blocked'))
ORDER BY a.id";

    const ATTEMPT_STATES = "SELECT r.name || '/' || t.key FROM task t
JOIN attempt a ON a.id = t.attempt_id JOIN run r ON r.id = t.run_id
WHERE t.state IN ('dispatched', 'running', 'blocked', 'reported')
    AND t.state != CASE a.state WHEN 'preparing' THEN 'dispatched' ELSE a.state END
ORDER BY t.id";

    const EVENT_NUMBERS = "SELECT 'e-' || id FROM
    (SELECT id, lag(id, 1, 0) OVER (ORDER BY id) AS id_before FROM event) AS pairs
WHERE id != id_before + 1
ORDER BY id";

    // `data` is compact JSON. Databases share no operator that extracts a value from it.
    const TASK_HISTORY = "SELECT r.name || '/' || t.key FROM task t JOIN run r ON r.id = t.run_id
WHERE (SELECT e.data FROM event e WHERE e.task_id = t.id
    AND e.kind IN ('task_added', 'waiting', 'ready', 'skipped', 'dispatched', 'running', 'blocked', 'requeued', 'reported',
        'done', 'failed', 'lost', 'rejected', 'fault', 'recalled', 'cancelled', 'retried', 'dependency_added', 'dependency_removed')
    AND e.data LIKE '%\"to\":\"%' ORDER BY e.id DESC LIMIT 1) NOT LIKE '%\"to\":\"' || t.state || '\"%'
ORDER BY t.id";

    const EDGE_ENDS = "SELECT d.task_id || ' waits for ' || d.on_id FROM dependency d
LEFT JOIN task t ON t.id = d.task_id LEFT JOIN task o ON o.id = d.on_id
WHERE t.id IS NULL OR o.id IS NULL OR t.run_id != o.run_id
ORDER BY d.task_id, d.on_id";

    const RANKS = "SELECT r.name || '/' || t.key FROM task t JOIN run r ON r.id = t.run_id
WHERE t.rank != coalesce((SELECT max(w.rank) + 1 FROM dependency d JOIN task w ON w.id = d.task_id WHERE d.on_id = t.id), 0)
ORDER BY t.id";

    const DEPENDENCY_COUNTERS = "SELECT r.name || '/' || t.key FROM task t JOIN run r ON r.id = t.run_id
WHERE t.unmet != (SELECT count(*) FROM dependency d JOIN task o ON o.id = d.on_id
        WHERE d.task_id = t.id AND o.state != 'done')
    OR t.broken != (SELECT count(*) FROM dependency d JOIN task o ON o.id = d.on_id
        WHERE d.task_id = t.id AND o.state IN ('failed', 'skipped', 'cancelled'))
ORDER BY t.id";

    const RUN_COUNTERS = "SELECT r.name FROM run r
LEFT JOIN (SELECT run_id, count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'ready') AS ready,
        count(*) FILTER (WHERE state = 'dispatched') AS dispatched, count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'blocked') AS blocked,
        count(*) FILTER (WHERE state = 'reported') AS reported, count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'skipped') AS skipped, count(*) FILTER (WHERE state = 'cancelled') AS cancelled
    FROM task GROUP BY run_id) c ON c.run_id = r.id
WHERE r.waiting != coalesce(c.waiting, 0) OR r.ready != coalesce(c.ready, 0) OR r.dispatched != coalesce(c.dispatched, 0)
    OR r.running != coalesce(c.running, 0) OR r.blocked != coalesce(c.blocked, 0) OR r.reported != coalesce(c.reported, 0)
    OR r.done != coalesce(c.done, 0) OR r.failed != coalesce(c.failed, 0) OR r.skipped != coalesce(c.skipped, 0)
    OR r.cancelled != coalesce(c.cancelled, 0)
ORDER BY r.id";

    const STARTED_TASKS = "SELECT DISTINCT r.name || '/' || t.key FROM task t
JOIN run r ON r.id = t.run_id JOIN dependency d ON d.task_id = t.id JOIN task o ON o.id = d.on_id
WHERE t.state IN ('dispatched', 'running', 'blocked', 'reported', 'done') AND o.state != 'done'";

    const SILENT_STALLS = "SELECT name FROM run
WHERE (state IN ('open', 'paused') AND waiting > 0 AND ready + dispatched + running + blocked + reported = 0)
    OR (state = 'finished' AND waiting + ready + dispatched + running + blocked + reported > 0)
    OR (state IN ('open', 'paused') AND coalesce(pause_reason, '') != 'branch_moved'
        AND done + failed + skipped + cancelled > 0
        AND waiting + ready + dispatched + running + blocked + reported = 0)
ORDER BY id";

    const CASCADES = "SELECT r.name || '/' || t.key FROM task t JOIN run r ON r.id = t.run_id
WHERE t.state IN ('waiting', 'ready', 'skipped')
    AND (t.state = 'skipped') != EXISTS (SELECT 1 FROM dependency d JOIN task o ON o.id = d.on_id
        WHERE d.task_id = t.id AND o.state IN ('failed', 'cancelled', 'skipped'))
ORDER BY t.id";

    const PAUSED_OFFERS = "SELECT 'th-' || h.id FROM thread h JOIN run r ON r.id = h.run_id
WHERE r.state IN ('paused', 'cancelled') AND h.state = 'queued' AND h.withdrawn = 0 AND h.news = 0
ORDER BY h.id";

    const THREAD_MESSAGES =
        "SELECT 'm-' || m.id FROM message m LEFT JOIN thread t ON t.id = m.thread_id WHERE t.id IS NULL
UNION ALL SELECT 'th-' || t.id FROM thread t
WHERE t.message_count != (SELECT count(*) FROM message m WHERE m.thread_id = t.id)";

    const CURSORS =
        "SELECT name FROM agent WHERE message_cursor > (SELECT coalesce(max(id), 0) FROM message)
    AND message_cursor > (SELECT coalesce(max(id), 0) FROM floor WHERE name = 'message')
UNION ALL SELECT agent FROM event_cursor WHERE event_id > (SELECT coalesce(max(id), 0) FROM event)";

    const QUESTIONS = "SELECT 'th-' || t.id FROM thread t LEFT JOIN message q ON q.id = t.question_id
WHERE t.state = 'blocked' AND (q.id IS NULL OR q.kind != 'question' OR q.thread_id != t.id
    OR EXISTS (SELECT 1 FROM message a WHERE a.thread_id = t.id AND a.kind = 'answer' AND a.id > q.id))
UNION ALL SELECT 'm-' || id FROM
    (SELECT id, kind, lag(kind) OVER (PARTITION BY thread_id ORDER BY id) AS kind_before
    FROM message WHERE kind IN ('question', 'answer')) AS pairs
WHERE kind = 'answer' AND (kind_before IS NULL OR kind_before != 'question')";

    const CLOSING_MESSAGES = "SELECT 'th-' || t.id FROM thread t LEFT JOIN message m ON m.id = t.closing_id
WHERE (t.closing_id IS NOT NULL) != (t.state IN ('done', 'failed'))
    OR (t.closing_id IS NOT NULL AND (m.id IS NULL OR m.thread_id != t.id
        OR m.kind != CASE t.state WHEN 'done' THEN 'result' ELSE 'failure' END))
ORDER BY t.id";

    const NEWS = "SELECT 'th-' || h.id FROM attempt a JOIN thread h ON h.id = a.thread_id
WHERE h.news = 0 AND a.state IN ('dispatched', 'running', 'blocked')
    AND h.state != CASE a.state WHEN 'dispatched' THEN 'queued' WHEN 'running' THEN 'claimed' ELSE 'blocked' END
ORDER BY h.id";

    const LIVE_WORKTREES = "SELECT r.name || '/' || t.key || '@' || a.number FROM attempt a
JOIN run r ON r.id = a.run_id JOIN task t ON t.id = a.task_id LEFT JOIN worktree w ON w.attempt_id = a.id
WHERE r.repository IS NOT NULL AND (w.attempt_id IS NULL
    OR (a.state = 'preparing' AND w.state != 'planned')
    OR (a.state IN ('dispatched', 'running', 'blocked', 'reported') AND w.state != 'present'))
ORDER BY a.id";

    const WORKTREE_PLACES = "SELECT 'slot ' || w.slot FROM attempt a JOIN worktree w ON w.attempt_id = a.id
WHERE a.ended_at IS NULL GROUP BY w.slot HAVING count(*) > 1
UNION ALL SELECT path FROM worktree WHERE state != 'removed' GROUP BY path HAVING count(*) > 1
UNION ALL SELECT w.branch FROM worktree w JOIN run r ON r.id = w.run_id
WHERE w.state != 'removed' GROUP BY r.repository, w.branch HAVING count(*) > 1";

    const WORKTREE_RUNS = "SELECT w.path FROM worktree w
LEFT JOIN attempt a ON a.id = w.attempt_id LEFT JOIN run r ON r.id = w.run_id
WHERE a.id IS NULL OR a.run_id != w.run_id OR r.id IS NULL OR r.repository IS NULL
ORDER BY w.attempt_id";

    const MERGED_ATTEMPTS = "SELECT r.name || '/' || t.key || '@' || a.number FROM attempt a
JOIN run r ON r.id = a.run_id JOIN task t ON t.id = a.task_id LEFT JOIN worktree w ON w.attempt_id = a.id
WHERE r.done_when = 'integrated' AND a.state = 'accepted' AND w.merged_commit IS NULL
ORDER BY a.id";

    const THREAD_CONDITIONS = "SELECT 'th-' || c.thread_id FROM thread_condition c
LEFT JOIN thread h ON h.id = c.thread_id LEFT JOIN attempt a ON a.id = h.attempt_id
LEFT JOIN worktree w ON w.attempt_id = a.id
WHERE a.id IS NULL OR a.thread_id != c.thread_id OR w.attempt_id IS NULL
    OR c.branch != w.branch OR c.base_commit != w.base_commit OR (a.ended_at IS NULL AND c.tree != w.path)
UNION ALL SELECT 'th-' || a.thread_id FROM worktree w JOIN attempt a ON a.id = w.attempt_id
WHERE a.thread_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM thread_condition c WHERE c.thread_id = a.thread_id)";

    const PREPARING_ATTEMPTS = "SELECT r.name || '/' || t.key || '@' || a.number FROM attempt a
JOIN run r ON r.id = a.run_id JOIN task t ON t.id = a.task_id
WHERE (a.state = 'preparing') != EXISTS (SELECT 1 FROM effect e WHERE e.attempt_id = a.id AND e.kind = 'prepare')
ORDER BY a.id";

    const EFFECTS = "SELECT 'effect ' || e.id || ', ' || e.kind FROM effect e
LEFT JOIN run r ON r.id = e.run_id LEFT JOIN attempt a ON a.id = e.attempt_id
WHERE r.id IS NULL OR r.repository IS NULL
    OR (e.attempt_id IS NULL AND e.kind IN ('prepare', 'verify', 'clear', 'restore'))
    OR (e.attempt_id IS NOT NULL AND e.kind IN ('branch', 'baseline', 'integrate', 'land', 'sweep', 'remove', 'repair'))
    OR (e.attempt_id IS NOT NULL AND (a.id IS NULL OR a.run_id != e.run_id
        OR (a.ended_at IS NOT NULL) != (e.kind IN ('clear', 'restore'))))
ORDER BY e.id";
}

/// Finds the violated laws; empty when all hold.
pub fn find_violations(tx: &mut Transaction<'_>) -> Result<Vec<InvariantViolation>, Fault> {
    let mut breaches = Vec::new();
    for invariant in ALL {
        let subjects = tx.query_all(invariant.query, &[], |row| row.text(0))?;
        if !subjects.is_empty() {
            breaches.push(InvariantViolation { invariant, subjects });
        }
    }
    Ok(breaches)
}

#[cfg(test)]
#[path = "invariant_tests.rs"]
mod tests;
