//! Each law is broken by hand once: a query that never returns a row proves nothing.

use super::*;
use crate::driver::WriteDurability;
use crate::{Store, StoreLocation, StoreOptions, TxEnd};

/// A small sound store: a done, b running on it, c waiting for b; d failed, e skipped by it; a blocked plain thread.
/// In a run with worktrees f is merged and its worktree is due for removal, g is running, and h is preparing.
const SOUND: &[&str] = &[
    // The schema's own checks would refuse much of what is broken below.
    "PRAGMA ignore_check_constraints = 1",
    "INSERT INTO agent VALUES ('w', 1, 5, 1)",
    "INSERT INTO event_cursor VALUES ('lead', 0, 3)",
    "INSERT INTO run (id, name, title, state, done_when, max_attempts, retry_delay_ms, lease_ms, keys_made, waiting, ready,
        dispatched, running, blocked, reported, done, failed, skipped, cancelled, created_at, updated_at)
        VALUES (1, 'r', 'R', 'open', 'reported', 3, 1, 1000, 5, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1)",
    "INSERT INTO task (id, run_id, key, title, priority, state, unmet, broken, rank, attempt_id, attempt_number, failures,
        losses, allow_empty, checks, created_at, updated_at) VALUES
        (1, 1, 'a', 'A', 2, 'done', 0, 0, 2, 1, 1, 0, 0, 0, 'none', 1, 1),
        (2, 1, 'b', 'B', 2, 'running', 0, 0, 1, 2, 1, 0, 0, 0, 'none', 1, 1),
        (3, 1, 'c', 'C', 2, 'waiting', 1, 0, 0, NULL, NULL, 0, 0, 0, 'none', 1, 1),
        (4, 1, 'd', 'D', 2, 'failed', 0, 0, 1, 3, 1, 1, 0, 0, 'none', 1, 1),
        (5, 1, 'e', 'E', 2, 'skipped', 1, 1, 0, NULL, NULL, 0, 0, 0, 'none', 1, 1)",
    "INSERT INTO dependency VALUES (2, 1), (3, 2), (5, 4)",
    "INSERT INTO attempt VALUES
        (1, 1, 1, 1, 'w', 'accepted', 1, 2, NULL, 0, 'none', 1, 2),
        (2, 1, 2, 1, 'w', 'running', 2, NULL, NULL, 0, 'none', 1, NULL),
        (3, 1, 4, 1, 'w', 'failed', 3, 5, 'no', 0, 'none', 1, 2)",
    "INSERT INTO thread (id, kind, subject, from_agent, to_agent, priority, lease_ms, run_id, task_id, attempt_id, state,
        withdrawn, holder, token, held_lease_ms, expires_at, lost_at, question_id, closing_id, releases, shown_id,
        message_count, news, created_at, updated_at) VALUES
        (1, 'work', 'A', 'lead', 'w', 2, 1000, 1, 1, 1, 'done', 0, NULL, 't1', NULL, NULL, NULL, NULL, 2, 0, 1, 2, 0, 1, 1),
        (2, 'work', 'B', 'lead', 'w', 2, 1000, 1, 2, 2, 'claimed', 0, 'w', 't2', 1000, 9, 10, NULL, NULL, 0, 3, 1, 0, 1, 1),
        (3, 'work', 'D', 'lead', 'w', 2, 1000, 1, 4, 3, 'failed', 0, NULL, 't3', NULL, NULL, NULL, NULL, 5, 0, 4, 2, 0, 1, 1),
        (4, 'work', 'P', 'lead', 'w', 2, 1000, NULL, NULL, NULL, 'blocked', 0, 'w', 't4', 1000, NULL, NULL, 9, NULL, 0, 6, 4, 0, 1, 1)",
    "INSERT INTO lease_token VALUES (1, 't1', 'w', 1), (2, 't2', 'w', 1), (3, 't3', 'w', 1), (4, 't4', 'w', 1)",
    "INSERT INTO message (id, thread_id, from_agent, to_agent, kind, created_at, body) VALUES
        (1, 1, 'lead', 'w', 'work', 1, ''), (2, 1, 'w', 'lead', 'result', 1, 'x'), (3, 2, 'lead', 'w', 'work', 1, ''),
        (4, 3, 'lead', 'w', 'work', 1, ''), (5, 3, 'w', 'lead', 'failure', 1, 'no'), (6, 4, 'lead', 'w', 'work', 1, ''),
        (7, 4, 'w', 'lead', 'question', 1, '?'), (8, 4, 'lead', 'w', 'answer', 1, '!'), (9, 4, 'w', 'lead', 'question', 1, '?')",
    "INSERT INTO event (id, at, kind, run_id, task_id, data, wakes) VALUES
        (1, 1, 'ready', 1, 1, '{\"to\":\"ready\"}', 0), (2, 1, 'done', 1, 1, '{\"to\":\"done\"}', 1),
        (3, 2, 'running', 1, 2, '{\"to\":\"running\"}', 0), (4, 2, 'claimed', 1, 2, '{\"holder\":\"w\"}', 0)",
    "INSERT INTO run (id, name, title, state, done_when, max_attempts, retry_delay_ms, lease_ms, keys_made, waiting, ready,
        dispatched, running, blocked, reported, done, failed, skipped, cancelled, created_at, updated_at, repository,
        base_commit, branch, branch_prefix, worktree_root, baseline)
        VALUES (2, 'q', 'Q', 'open', 'integrated', 3, 1, 1000, 3, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, '/q/.git', 'c0',
        'orch/q/main', 'orch/q', '/q.orch/q', 'passed')",
    "INSERT INTO task (id, run_id, key, title, priority, state, unmet, broken, rank, attempt_id, attempt_number, failures,
        losses, allow_empty, checks, created_at, updated_at) VALUES
        (11, 2, 'f', 'F', 2, 'done', 0, 0, 0, 11, 1, 0, 0, 0, 'none', 1, 1),
        (12, 2, 'g', 'G', 2, 'running', 0, 0, 0, 12, 1, 0, 0, 0, 'none', 1, 1),
        (13, 2, 'h', 'H', 2, 'dispatched', 0, 0, 0, 13, 1, 0, 0, 0, 'none', 1, 1)",
    "INSERT INTO attempt VALUES
        (11, 2, 11, 1, 'w', 'accepted', 11, 12, NULL, 0, 'none', 1, 2),
        (12, 2, 12, 1, 'w', 'running', 12, NULL, NULL, 0, 'none', 1, NULL),
        (13, 2, 13, 1, 'w', 'preparing', NULL, NULL, NULL, 0, 'none', 1, NULL)",
    "INSERT INTO thread (id, kind, subject, from_agent, to_agent, priority, lease_ms, run_id, task_id, attempt_id, state,
        withdrawn, holder, token, held_lease_ms, expires_at, lost_at, question_id, closing_id, releases, shown_id,
        message_count, news, created_at, updated_at) VALUES
        (11, 'work', 'F', 'lead', 'w', 2, 1000, 2, 11, 11, 'done', 0, NULL, 't11', NULL, NULL, NULL, NULL, 12, 0, 11, 2, 0, 1, 1),
        (12, 'work', 'G', 'lead', 'w', 2, 1000, 2, 12, 12, 'claimed', 0, 'w', 't12', 1000, 9, 10, NULL, NULL, 0, 13, 1, 0, 1, 1)",
    "INSERT INTO lease_token VALUES (11, 't11', 'w', 1), (12, 't12', 'w', 1)",
    "INSERT INTO message (id, thread_id, from_agent, to_agent, kind, created_at, body) VALUES
        (11, 11, 'lead', 'w', 'work', 1, ''), (12, 11, 'w', 'lead', 'result', 1, 'x'), (13, 12, 'lead', 'w', 'work', 1, '')",
    "INSERT INTO worktree VALUES
        (11, 2, 'present', '/q.orch/q/f.1', 'orch/q/f.1', 'c0', 0, 'c1', 'c1', NULL, 0, NULL, 1, 0, NULL),
        (12, 2, 'present', '/q.orch/q/g.1', 'orch/q/g.1', 'c0', 0, NULL, NULL, NULL, 0, NULL, 1, 0, NULL),
        (13, 2, 'planned', '/q.orch/q/h.1', 'orch/q/h.1', 'c1', 0, NULL, NULL, NULL, 1, NULL, 1, 0, NULL)",
    "INSERT INTO thread_condition VALUES
        (11, '/q.orch/q/f.1', 'orch/q/f.1', 'c0', 1, 'c1', NULL, NULL),
        (12, '/q.orch/q/g.1', 'orch/q/g.1', 'c0', 1, NULL, NULL, NULL)",
    "INSERT INTO effect (id, kind, run_id, attempt_id, taken, created_at) VALUES
        (1, 'clear', 2, 11, 0, 1), (2, 'prepare', 2, 13, 0, 1), (3, 'integrate', 2, NULL, 0, 1)",
];

/// One way to break each law.
const BROKEN: [(&str, &str); 53] = [
    (
        "live_attempts",
        "INSERT INTO attempt VALUES (4, 1, 2, 2, 'w', 'dispatched', 2, NULL, NULL, 0, 'none', 1, NULL)",
    ),
    ("live_attempts", "UPDATE task SET state = 'ready' WHERE id = 2"),
    ("held_threads", "UPDATE thread SET token = NULL WHERE id = 2"),
    ("held_threads", "UPDATE thread SET lost_at = 1 WHERE id = 2"),
    ("held_threads", "UPDATE thread SET held_lease_ms = NULL WHERE id = 4"),
    ("held_threads", "UPDATE thread SET holder = 'w' WHERE id = 1"),
    ("live_tokens", "DELETE FROM lease_token WHERE thread_id = 4"),
    ("live_tokens", "UPDATE lease_token SET holder = 'x' WHERE thread_id = 2"),
    ("attempt_numbers", "UPDATE attempt SET number = 2 WHERE id = 2"),
    ("attempt_numbers", "UPDATE task SET attempt_id = 1 WHERE id = 2"),
    ("attempt_threads", "UPDATE thread SET attempt_id = NULL WHERE id = 2"),
    ("attempt_threads", "UPDATE attempt SET thread_id = 1 WHERE id = 2"),
    ("ended_attempts", "UPDATE attempt SET ended_at = 3 WHERE id = 2"),
    ("ended_attempts", "UPDATE thread SET state = 'queued', closing_id = NULL, token = NULL WHERE id = 1"),
    ("attempt_states", "UPDATE attempt SET state = 'blocked' WHERE id = 2"),
    ("event_numbers", "DELETE FROM event WHERE id = 2"),
    ("task_history", "UPDATE event SET data = '{\"to\":\"ready\"}' WHERE id = 3"),
    ("edge_ends", "INSERT INTO dependency VALUES (3, 99)"),
    ("ranks", "UPDATE task SET rank = 0 WHERE id = 1"),
    ("ranks", "INSERT INTO dependency VALUES (1, 3)"),
    ("dependency_counters", "UPDATE task SET unmet = 2 WHERE id = 3"),
    ("dependency_counters", "UPDATE task SET broken = 2 WHERE id = 5"),
    ("run_counters", "UPDATE run SET running = 2 WHERE id = 1"),
    ("started_tasks", "UPDATE task SET state = 'ready' WHERE id = 1"),
    ("silent_stalls", "UPDATE run SET running = 0 WHERE id = 1"),
    ("silent_stalls", "UPDATE run SET state = 'finished', outcome = 'partial' WHERE id = 1"),
    ("cascades", "UPDATE task SET state = 'waiting', broken = 0 WHERE id = 5"),
    ("paused_offers", "UPDATE run SET state = 'paused', pause_reason = 'user' WHERE id = 1"),
    ("thread_messages", "DELETE FROM message WHERE id = 3"),
    ("thread_messages", "UPDATE message SET thread_id = 99 WHERE id = 3"),
    ("cursors", "UPDATE agent SET message_cursor = 99"),
    ("questions", "UPDATE thread SET question_id = 7 WHERE id = 4"),
    ("questions", "UPDATE message SET kind = 'answer' WHERE id = 9"),
    ("closing_messages", "UPDATE message SET kind = 'note' WHERE id = 2"),
    ("news", "UPDATE attempt SET state = 'blocked' WHERE id = 2"),
    ("live_worktrees", "UPDATE worktree SET state = 'removed' WHERE attempt_id = 12"),
    ("live_worktrees", "UPDATE worktree SET state = 'present' WHERE attempt_id = 13"),
    ("live_worktrees", "DELETE FROM worktree WHERE attempt_id = 11"),
    ("worktree_places", "UPDATE worktree SET slot = 0 WHERE attempt_id = 13"),
    ("worktree_places", "UPDATE worktree SET path = '/q.orch/q/f.1' WHERE attempt_id = 12"),
    ("worktree_places", "UPDATE worktree SET branch = 'orch/q/f.1' WHERE attempt_id = 13"),
    ("worktree_runs", "UPDATE worktree SET run_id = 1 WHERE attempt_id = 12"),
    ("worktree_runs", "UPDATE run SET repository = NULL WHERE id = 2"),
    ("merged_attempts", "UPDATE worktree SET merged_commit = NULL WHERE attempt_id = 11"),
    ("thread_conditions", "DELETE FROM thread_condition WHERE thread_id = 12"),
    ("thread_conditions", "INSERT INTO thread_condition VALUES (2, '/t', 'b', 'c0', 1, NULL, NULL, NULL)"),
    ("thread_conditions", "UPDATE thread_condition SET base_commit = 'c9' WHERE thread_id = 11"),
    ("preparing_attempts", "DELETE FROM effect WHERE id = 2"),
    ("preparing_attempts", "UPDATE effect SET attempt_id = 12 WHERE id = 2"),
    ("effects", "UPDATE effect SET kind = 'verify' WHERE id = 1"),
    ("effects", "UPDATE effect SET kind = 'clear' WHERE id = 2"),
    ("effects", "UPDATE effect SET attempt_id = 12 WHERE id = 3"),
    ("effects", "UPDATE effect SET run_id = 1 WHERE id = 1"),
];

/// Returns the laws that are broken in the sound store after one more statement.
fn broken_by(store: &mut Store, statements: &[&'static str]) -> Vec<&'static str> {
    let broken = store.write(WriteDurability::Process, |tx| {
        for statement in SOUND.iter().chain(statements) {
            tx.execute(Statement::new(statement), &[])?;
        }
        let breaches = find_violations(tx)?;
        Ok::<_, Fault>(TxEnd::Rollback(breaches.iter().map(|breach| breach.invariant.name).collect()))
    });
    broken.unwrap()
}

#[test]
fn every_law_is_seen_to_be_broken() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("orch.db"));
    Store::create(&location, StoreOptions::default()).unwrap();
    let mut store = Store::open(&location, StoreOptions::default()).unwrap();
    assert_eq!(store.read(find_violations).unwrap(), [], "an empty store is sound");
    assert_eq!(broken_by(&mut store, &[]), [""; 0]);
    for (name, statement) in BROKEN {
        let broken =
            broken_by(&mut store, &[PAUSED_QUEUED, statement][usize::from(name != "paused_offers")..]);
        assert!(broken.contains(&name), "{statement} breaks {broken:?}, not {name}");
    }
    for invariant in ALL {
        assert!(BROKEN.iter().any(|(name, _)| *name == invariant.name), "{} is never broken", invariant.name);
    }
}

/// A queued thread of the run, so that pausing it without withdrawing shows.
const PAUSED_QUEUED: &str =
    "UPDATE thread SET state = 'queued', holder = NULL, token = NULL, held_lease_ms = NULL,
    expires_at = NULL, lost_at = NULL WHERE id = 2";

#[test]
fn the_document_holds_the_same_laws() {
    let document = include_str!("../../../docs/invariants.md");
    let told: Vec<&str> =
        document.split("```sql\n").skip(1).filter_map(|block| block.split("\n```").next()).collect();
    let kept: Vec<String> =
        ALL.iter().map(|law| format!("-- {}: {}\n{}", law.name, law.law, law.query.text())).collect();
    assert_eq!(told, kept);
}
