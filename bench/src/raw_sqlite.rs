//! Bare SQLite, as one would write it by hand without any rule: what the engine is compared with.
//!
//! The same schema, the same rows, the same durability; the fewest statements that make them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::BenchResult;

/// The product's own schema.
const SCHEMA: &str = include_str!("../../crates/orch-store/migrations/sqlite/0001.sql");

/// Makes an empty store, or opens it.
pub(crate) fn open_store(path: &Path) -> BenchResult<Connection> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = !path.exists();
    let connection = Connection::open(path)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(64);
    if fresh {
        connection.execute_batch(SCHEMA)?;
    }
    Ok(connection)
}

/// How a writer waits while another one writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BusyHandler {
    /// Looks again every 0.5 to 1.5 ms, like the store.
    Flat,
    /// SQLite's own busy timeout, which backs off further and further.
    BuiltIn,
}

/// Sets how this connection waits.
pub(crate) fn set_busy_handler(connection: &mut Connection, patience: BusyHandler) -> BenchResult<()> {
    match patience {
        BusyHandler::Flat => connection.busy_handler(Some(sleep_briefly))?,
        BusyHandler::BuiltIn => connection.busy_timeout(Duration::from_secs(30))?,
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "SQLite tells nobody when a lock is free")]
fn sleep_briefly(times: i32) -> bool {
    let mut seed = (u64::from(std::process::id()) << 32) | (u64::from(times.unsigned_abs()) + 1);
    for _ in 0..4 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
    }
    std::thread::sleep(Duration::from_micros(500 + seed % 1_000));
    times < 30_000
}

/// The rows of `inbox send`: a thread, its first message, an event. Returns the thread.
pub(crate) fn insert_send_rows(connection: &mut Connection, now: i64) -> BenchResult<i64> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let thread: i64 = tx
        .prepare_cached(
            "INSERT INTO thread (kind, subject, from_agent, to_agent, priority, lease_ms, state, withdrawn, releases,
            shown_id, message_count, news, created_at, updated_at)
            VALUES ('work', ?1, ?2, ?3, 2, 900000, 'queued', 0, 0, 0, 1, 0, ?4, ?4) RETURNING id",
        )?
        .query_row(params![crate::contention::SUBJECT, "lead", "queue", now], |row| row.get(0))?;
    insert_message(&tx, thread, ["lead", "queue", "work", crate::contention::BODY], now)?;
    insert_event(&tx, ["sent", "lead", r#"{"to":"queue"}"#], thread, now)?;
    tx.commit()?;
    Ok(thread)
}

/// The rows of `inbox claim`: the most urgent thread is held under a lease. Returns it, when there is one.
pub(crate) fn insert_claim_rows(
    connection: &mut Connection,
    holder: &str,
    token: &str,
    now: i64,
) -> BenchResult<Option<i64>> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let claimed = tx
        .prepare_cached(
            "UPDATE thread SET state = 'claimed', holder = ?1, token = ?2, held_lease_ms = 900000, expires_at = ?3 + 900000,
            lost_at = ?3 + 1125000, shown_id = (SELECT max(m.id) FROM message m WHERE m.thread_id = thread.id), updated_at = ?3
            WHERE id = (SELECT id FROM thread WHERE to_agent = 'queue' AND kind = 'work' AND state = 'queued' AND withdrawn = 0
            ORDER BY priority, id LIMIT 1) RETURNING id",
        )?
        .query_map(params![holder, token, now], |row| row.get::<_, i64>(0))?
        .next()
        .transpose()?;
    let Some(thread) = claimed else { return Ok(None) };
    tx.prepare_cached("INSERT INTO lease_token VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![thread, token, holder, now])?;
    insert_event(&tx, ["claimed", holder, "{}"], thread, now)?;
    tx.commit()?;
    Ok(Some(thread))
}

/// The rows of `inbox done`: the result, and the thread is closed by it.
pub(crate) fn insert_done_rows(
    connection: &mut Connection,
    thread: i64,
    holder: &str,
    token: &str,
    now: i64,
) -> BenchResult<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let message = insert_message(&tx, thread, [holder, "lead", "result", crate::contention::RESULT], now)?;
    let closed = tx
        .prepare_cached(
            "UPDATE thread SET state = 'done', holder = NULL, held_lease_ms = NULL, expires_at = NULL, lost_at = NULL,
            closing_id = ?3, message_count = message_count + 1, updated_at = ?4 WHERE id = ?1 AND token = ?2",
        )?
        .execute(params![thread, token, message, now])?;
    if closed != 1 {
        return Err("the bare baseline lost a claim".into());
    }
    insert_event(&tx, ["thread_done", holder, "{}"], thread, now)?;
    tx.commit()?;
    Ok(())
}

fn insert_message(connection: &Connection, thread: i64, texts: [&str; 4], now: i64) -> BenchResult<i64> {
    let [from, to, kind, body] = texts;
    let mut insert = connection.prepare_cached(
        "INSERT INTO message (thread_id, from_agent, to_agent, kind, created_at, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
    )?;
    Ok(insert.query_row(params![thread, from, to, kind, now, body], |row| row.get(0))?)
}

fn insert_event(connection: &Connection, texts: [&str; 3], thread: i64, now: i64) -> BenchResult<()> {
    let [kind, agent, data] = texts;
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (at, kind, thread_id, agent, data, wakes) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
    )?;
    insert.execute(params![now, kind, thread, agent, data])?;
    Ok(())
}
