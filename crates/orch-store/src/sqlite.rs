//! The SQLite driver; only this file and [`migrate`] use `rusqlite`.
//!
//! Stock SQLite, bundled, at least 3.51.3: older versions can lose commits when a checkpoint races with a writer,
//! which is likely with many short commands on one file.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use orch_core::placement::FileNumber;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, ffi};

use crate::driver::{
    DatabaseDriver, QueryPlan, SqlParameter, SqlRow, StatementCounts, TransactionMode, WriteDurability,
};
use crate::placement::{HostProbe, file_number};
use crate::{Fault, Statement, file_system, migrate};

/// The oldest SQLite version without the checkpoint race that loses commits.
const VERSION_MIN: i32 = 3_051_003;

const _: () = assert!(ffi::SQLITE_VERSION_NUMBER >= VERSION_MIN, "the bundled SQLite is too old");

/// Identifies a file as an orch store: "orch" in ASCII.
pub(crate) const APPLICATION_ID: i64 = 0x6f72_6368;

/// A checkpoint is due when the write-ahead log has this many pages: 1 MiB. Every cold open replays the log.
const LOG_PAGES_DUE: i64 = 256;

/// The size limit of the file of a restarted log: the pages that make a checkpoint due, and one change.
const LOG_BYTES_KEPT: i64 = 1_280 * 1_024;

/// How long a command waits for a lock before it fails with `store_busy`.
pub(crate) const BUSY_LIMIT: Duration = Duration::from_secs(30);

/// One connection to an SQLite file.
pub(crate) struct SqliteDriver {
    connection: Connection,
    path: PathBuf,
    /// The device and inode of the file when it was opened.
    identity: Option<FileNumber>,
    durability: Option<WriteDurability>,
    statements: SqlRewriteCache,
    log_pages: Arc<AtomicI64>,
    log_is_named: bool,
    counter: StatementCounter,
}

/// Counts the statements of a connection. Every statement passes through it.
struct StatementCounter {
    counts: StatementCounts,
    is_on: bool,
}

impl StatementCounter {
    fn add(&mut self, statements: u64) {
        if self.is_on {
            self.counts.statements += statements;
        }
    }

    fn add_transaction(&mut self, mode: TransactionMode) {
        if self.is_on {
            self.counts.transactions += 1;
            self.counts.write_transactions += u64::from(matches!(mode, TransactionMode::Write(_)));
        }
    }
}

impl SqliteDriver {
    /// Opens an existing file.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        file_system::require_short_path(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| fault_from_sqlite(path, error))?;
        Self::prepare_connection(connection, path)
    }

    fn prepare_connection(mut connection: Connection, path: &Path) -> Result<Self, Fault> {
        let failed = |error| fault_from_sqlite(path, error);
        assert!(rusqlite::version_number() >= VERSION_MIN, "the SQLite in this process is too old");
        connection.busy_handler(Some(busy_handler())).map_err(failed)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
        // Without it SQLite plans a statement for its bound values, that is, again on each execution.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
        let log_pages = Arc::new(AtomicI64::new(0));
        let seen = Arc::clone(&log_pages);
        // This hook also disables SQLite's automatic checkpoint on commit.
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            seen.store(i64::from(pages), Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(256);
        let (identity, path) = (file_number(path), path.to_owned());
        let (durability, statements, log_is_named) = (None, SqlRewriteCache::default(), false);
        let counter = StatementCounter { counts: StatementCounts::default(), is_on: true };
        Ok(Self { connection, path, identity, durability, statements, log_pages, log_is_named, counter })
    }

    /// Returns the connection, for creating and migrating the schema.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Reads a number from the file's header.
    pub(crate) fn read_header(&mut self, pragma: &str) -> Result<i64, Fault> {
        self.counter.add(1);
        self.connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|error| fault_from_sqlite(&self.path, error))
    }

    /// Copies an older store to memory and migrates the copy, so that it can be read while older processes use the file.
    pub(crate) fn open_migrated_snapshot(older: Self, host: HostProbe) -> Result<Self, Fault> {
        let path = older.path.clone();
        let failed = |error| fault_from_sqlite(&path, error);
        let mut memory = Connection::open_in_memory().map_err(failed)?;
        {
            let backup = rusqlite::backup::Backup::new(&older.connection, &mut memory).map_err(failed)?;
            // All pages at once: a snapshot of one moment.
            while backup.step(-1).map_err(failed)? != rusqlite::backup::StepResult::Done {}
        }
        migrate::migrate_snapshot(&mut memory, &path, host)?;
        Self::prepare_connection(memory, &path)
    }

    fn execute_batch(&mut self, statement: &str) -> Result<(), Fault> {
        self.counter.add(1);
        let mut prepared = self
            .connection
            .prepare_cached(statement)
            .map_err(|error| fault_from_sqlite(&self.path, error))?;
        prepared.raw_execute().map(|_| ()).map_err(|error| fault_from_sqlite(&self.path, error))
    }

    /// Runs a passive checkpoint; returns whether it copied the whole log into the database file.
    fn checkpoint_log(&mut self) -> bool {
        self.counter.add(1);
        let answer = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        answer.is_ok_and(|(busy, found, copied)| busy == 0 && found == copied)
    }

    /// Restarts a fully checkpointed log at its beginning, unless another process is using it.
    ///
    /// The checkpoint is recorded only in shared memory, which ends with the last process: the next one would find
    /// the whole log again, and a store with only short commands would never shrink it. So one page is
    /// rewritten at once, unchanged, with a new log header that invalidates the old pages.
    /// The file keeps its length, up to the limit: overwriting existing blocks is faster to sync
    /// than extending the file.
    fn restart_log(&mut self) {
        // Not worth a wait: another process may do it later.
        if self.connection.busy_handler(None::<fn(i32) -> bool>).is_err() {
            return;
        }
        // Losing this commit is harmless, so it need not be synced, and its errors are ignored.
        if self.set_durability(WriteDurability::Process).is_ok() {
            self.counter.add(2);
            let _ = self.connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT);
            let _ = self.connection.pragma_update(None, "application_id", APPLICATION_ID);
        }
        // A connection that does not wait for locks is still correct.
        let _ = self.connection.busy_handler(Some(busy_handler()));
    }

    /// Syncs the folder, so that the log's directory entry survives loss of power, unless that was done already.
    ///
    /// SQLite would do so at the first commit of every process, which for short commands is every commit;
    /// it is compiled without that. The entry was synced before the log was restarted for the first time.
    fn sync_log_name(&mut self) -> Result<(), Fault> {
        if !self.log_is_named && !log_was_restarted(&log_path(&self.path)) {
            let folder = self.path.parent().unwrap_or(Path::new(""));
            let place = self.path.display().to_string();
            file_system::sync_folder(folder).map_err(|source| Fault::Unavailable { place, source })?;
        }
        self.log_is_named = true;
        Ok(())
    }

    fn set_durability(&mut self, durability: WriteDurability) -> Result<(), Fault> {
        if self.durability != Some(durability) {
            self.execute_batch(match durability {
                WriteDurability::Power => "PRAGMA synchronous = FULL",
                WriteDurability::Process => "PRAGMA synchronous = NORMAL",
            })?;
            self.durability = Some(durability);
        }
        Ok(())
    }
}

/// Returns the path of the write-ahead log of a database.
pub(crate) fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Returns whether a log was restarted: its header counts the restarts.
///
/// No process locks this file, so closing it here releases no lock.
fn log_was_restarted(log: &Path) -> bool {
    let mut header = [0; 16];
    let read = std::fs::File::open(log).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[12..] != [0; 4]
}

/// Statements in SQLite's syntax: with `?1`, because `$1` would be a named parameter, numbered by first appearance.
///
/// The key is the address of the text: hashing a whole statement takes longer than binding its values.
#[derive(Default)]
struct SqlRewriteCache(HashMap<(usize, usize), SpelledStatement>);

struct SpelledStatement {
    text: String,
    times: u64,
}

impl SqlRewriteCache {
    /// Returns the SQLite text of a statement to run and counts it.
    fn run(&mut self, statement: Statement, counter: &mut StatementCounter) -> &str {
        let statement = statement.text();
        let place = (statement.as_ptr().addr(), statement.len());
        let spell = || SpelledStatement { text: statement.replace('$', "?"), times: 0 };
        let spelled = self.0.entry(place).or_insert_with(spell);
        counter.add(1);
        spelled.times += u64::from(counter.is_on);
        &spelled.text
    }
}

impl DatabaseDriver for SqliteDriver {
    fn begin(&mut self, mode: TransactionMode) -> Result<(), Fault> {
        self.counter.add_transaction(mode);
        match mode {
            TransactionMode::Read => self.execute_batch("BEGIN"),
            TransactionMode::Write(durability) => {
                self.set_durability(durability)?;
                // Upgrading a read lock later would fail at once instead of waiting.
                self.execute_batch("BEGIN IMMEDIATE")?;
                match durability {
                    // The log exists now.
                    WriteDurability::Power => self.sync_log_name().inspect_err(|_| self.rollback()),
                    WriteDurability::Process => Ok(()),
                }
            }
        }
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.execute_batch("COMMIT")
    }

    fn rollback(&mut self) {
        // After some errors SQLite has rolled back already, and this fails.
        let _ = self.execute_batch("ROLLBACK");
    }

    fn execute(&mut self, statement: Statement, values: &[SqlParameter<'_>]) -> Result<u64, Fault> {
        let Self { connection, statements, path, counter, .. } = self;
        let failed = |error| fault_from_sqlite(path, error);
        let mut prepared = connection.prepare_cached(statements.run(statement, counter)).map_err(failed)?;
        bind_values(&mut prepared, values).map_err(failed)?;
        prepared.raw_execute().map(|rows| rows as u64).map_err(failed)
    }

    fn query(
        &mut self,
        statement: Statement,
        values: &[SqlParameter<'_>],
        each: &mut dyn FnMut(&dyn SqlRow) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Self { connection, statements, path, counter, .. } = self;
        let failed = |error| fault_from_sqlite(path, error);
        let mut prepared = connection.prepare_cached(statements.run(statement, counter)).map_err(failed)?;
        bind_values(&mut prepared, values).map_err(failed)?;
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            each(&SqliteRow { row, path })?;
        }
        Ok(())
    }

    fn change_counter(&mut self) -> Result<i64, Fault> {
        self.counter.add(1);
        let failed = |error| fault_from_sqlite(&self.path, error);
        let mut prepared = self.connection.prepare_cached("PRAGMA data_version").map_err(failed)?;
        prepared.query_row([], |row| row.get(0)).map_err(failed)
    }

    fn file_number(&self) -> Option<FileNumber> {
        self.identity
    }

    fn is_in_place(&self) -> bool {
        file_number(&self.path) == self.identity
    }

    fn checkpoint_if_due(&mut self) {
        if self.log_pages.load(Ordering::Relaxed) < LOG_PAGES_DUE {
            return;
        }
        // It neither waits nor blocks; the next command completes an incomplete checkpoint.
        if self.sync_log_name().is_ok() && self.checkpoint_log() {
            self.restart_log();
        }
    }

    fn check_integrity(&mut self) -> Result<Vec<String>, Fault> {
        self.counter.add(1);
        let failed = |error| fault_from_sqlite(&self.path, error);
        let mut prepared = self.connection.prepare("PRAGMA integrity_check(20)").map_err(failed)?;
        let lines = prepared.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        let lines: Result<Vec<String>, _> = lines.collect();
        // One result may report several defects, a line each, under a headline.
        let lines = lines.map_err(failed)?;
        let defects = lines.iter().flat_map(|answer| answer.lines());
        let defects = defects.filter(|line| *line != "ok" && !line.starts_with("***")).map(str::to_owned);
        Ok(defects.chain(migrate::schema_defects(&self.connection, &self.path)?).collect())
    }

    fn write_copy(&mut self, target: &Path) -> Result<(), Fault> {
        self.counter.add(1);
        let written = self.connection.execute("VACUUM INTO ?1", [target.display().to_string()]);
        written.map(|_| ()).map_err(|error| fault_from_sqlite(target, error))
    }

    fn replace_content(&mut self, source: &Path) -> Result<(), Fault> {
        self.set_durability(WriteDurability::Power)?;
        self.sync_log_name()?;
        self.connection.flush_prepared_statement_cache();
        let content = Connection::open(source).map_err(|error| fault_from_sqlite(source, error))?;
        let failed = |error| fault_from_sqlite(&self.path, error);
        let mut wait = busy_handler();
        let mut times = 0;
        let copying = rusqlite::backup::Backup::new(&content, &mut self.connection).map_err(failed)?;
        // All pages at once: one transaction.
        loop {
            match copying.step(-1).map_err(failed)? {
                rusqlite::backup::StepResult::Done => return Ok(()),
                _ if wait(times) => times += 1,
                _ => {
                    return Err(Fault::Busy {
                        waited_ms: u64::try_from(BUSY_LIMIT.as_millis()).unwrap_or(u64::MAX),
                    });
                }
            }
        }
    }

    fn query_plans(&mut self) -> Result<Vec<QueryPlan>, Fault> {
        let failed = |error| fault_from_sqlite(&self.path, error);
        let mut plans = Vec::new();
        for SpelledStatement { text, times } in self.statements.0.values() {
            let mut explain =
                self.connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).map_err(failed)?;
            let steps = explain.raw_query().mapped(|row| row.get("detail")).collect::<Result<_, _>>();
            plans.push(QueryPlan { statement: text.clone(), steps: steps.map_err(failed)?, times: *times });
        }
        Ok(plans)
    }

    fn statement_counts(&self) -> StatementCounts {
        self.counter.counts
    }

    fn set_counting(&mut self, counting: bool) {
        self.counter.is_on = counting;
    }

    fn engine_version(&self) -> String {
        format!("SQLite {}", rusqlite::version())
    }
}

/// A parameter in SQLite's types.
struct SqliteParameter<'a>(SqlParameter<'a>);

impl ToSql for SqliteParameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            SqlParameter::Null => ValueRef::Null,
            SqlParameter::Int(number) => ValueRef::Integer(number),
            SqlParameter::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn bind_values(
    prepared: &mut rusqlite::CachedStatement<'_>,
    values: &[SqlParameter<'_>],
) -> rusqlite::Result<()> {
    for (index, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, SqliteParameter(*value))?;
    }
    Ok(())
}

/// A row of SQLite.
struct SqliteRow<'a, 'b> {
    row: &'a rusqlite::Row<'b>,
    path: &'a Path,
}

impl SqlRow for SqliteRow<'_, '_> {
    fn int_or_null(&self, column: usize) -> Result<Option<i64>, Fault> {
        self.row.get(column).map_err(|error| fault_from_sqlite(self.path, error))
    }

    fn text_or_null(&self, column: usize) -> Result<Option<String>, Fault> {
        self.row.get(column).map_err(|error| fault_from_sqlite(self.path, error))
    }
}

/// The shortest average pause between two attempts to lock.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The longest average pause between two attempts to lock.
const PAUSE_MAX: Duration = Duration::from_millis(16);

/// The divisor of the waited time that gives the next pause.
const PAUSE_SHARE: u32 = 32;

/// Waits between attempts to lock the file, a random time that grows from [`PAUSE_MIN`], up to [`BUSY_LIMIT`] in all.
///
/// SQLite's own handler backs off further and further and starves the process that has waited longest:
/// with 8 writers its worst wait was ten times that of constant pauses. Here the pause grows only slowly,
/// at a cost of a thirtieth of the wait: 200 processes that each poll a thousand times a second leave the lock holder no
/// processor time.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite does not notify waiters when a lock is free: polling is the only way"
)]
pub(crate) fn busy_handler() -> impl FnMut(i32) -> bool + Send + 'static {
    let mut began = Instant::now();
    let mut seed = u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15;
    move |times| {
        if times == 0 {
            began = Instant::now();
        }
        let waited = began.elapsed();
        if waited >= BUSY_LIMIT {
            return false;
        }
        // xorshift64 (Marsaglia 2003); any jitter will do.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let pause = (waited / PAUSE_SHARE).clamp(PAUSE_MIN, PAUSE_MAX);
        let half = u64::try_from(pause.as_micros()).unwrap_or(0) / 2;
        std::thread::sleep(Duration::from_micros(half + seed % (2 * half)));
        true
    }
}

/// Converts an error of the driver to a fault.
pub(crate) fn fault_from_sqlite(path: &Path, error: rusqlite::Error) -> Fault {
    let place = path.display().to_string();
    let code = error.sqlite_error_code();
    let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
    // Statements read each column with its declared type, so another type means corruption.
    let misread = matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    );
    let source = Box::new(error);
    match code {
        None if misread => Fault::Corrupt { place, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            let waited_ms = u64::try_from(BUSY_LIMIT.as_millis()).unwrap_or(u64::MAX);
            Fault::Busy { waited_ms }
        }
        Some(ErrorCode::DatabaseCorrupt) => Fault::Corrupt { place, source },
        Some(ErrorCode::NotADatabase) => Fault::Foreign { place },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Fault::ReadOnly { place, source },
        Some(ErrorCode::DiskFull) => Fault::DiskFull { place, source },
        Some(ErrorCode::SystemIoFailure) if extended == ffi::SQLITE_IOERR_SHMSIZE => {
            Fault::DiskFull { place, source }
        }
        // A folder, a socket, …
        Some(ErrorCode::CannotOpen) if path.exists() && !path.is_file() => Fault::Foreign { place },
        Some(ErrorCode::CannotOpen) if path.exists() && !file_system::is_writable(path) => {
            Fault::ReadOnly { place, source }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => {
            Fault::Unavailable { place, source: std::io::Error::other(source) }
        }
        _ => Fault::Database { source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMEMBER: Statement =
        Statement::new("INSERT INTO request (key, fingerprint, at, answer) VALUES ($1, 'f', 1, $2)");

    /// Runs one short command on the log: open, write, checkpoint if due, close.
    fn short_command(path: &Path, key: &str) -> u64 {
        let mut sqlite = SqliteDriver::open(path).unwrap();
        sqlite.begin(TransactionMode::Write(WriteDurability::Power)).unwrap();
        let answer = "x".repeat(100_000);
        sqlite.execute(REMEMBER, &[key.into(), answer.as_str().into()]).unwrap();
        sqlite.commit().unwrap();
        sqlite.checkpoint_if_due();
        log_bytes(path)
    }

    fn log_bytes(path: &Path) -> u64 {
        std::fs::metadata(path.with_file_name("orch.db-wal")).unwrap().len()
    }

    /// Returns how many log pages a process finds that opens the store.
    fn pages_found(path: &Path) -> i64 {
        let connection = Connection::open(path).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap()
    }

    #[test]
    fn short_commands_leave_a_short_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        migrate::create_store(&path, HostProbe::default()).unwrap();
        let longest = (0..60).map(|number| short_command(&path, &format!("k{number}"))).max();
        assert!(longest.unwrap() < 2 * 1024 * 1024, "{longest:?}");
    }

    #[test]
    fn a_log_that_began_anew_is_known_by_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        migrate::create_store(&path, HostProbe::default()).unwrap();
        assert!(!log_was_restarted(&log_path(&path)), "there is none");
        short_command(&path, "first");
        assert!(!log_was_restarted(&log_path(&path)), "it was made just now");
        for number in 0..12 {
            short_command(&path, &format!("k{number}"));
        }
        assert!(log_was_restarted(&log_path(&path)));
        // Another program that is the last to close the store takes the log away.
        let other = Connection::open(&path).unwrap();
        let count: i64 = other.query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap();
        drop(other);
        assert_eq!((count, log_path(&path).exists()), (13, false));
        short_command(&path, "again");
        assert!(!log_was_restarted(&log_path(&path)), "another one");
    }

    #[test]
    fn a_log_in_use_begins_anew_when_its_reader_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        migrate::create_store(&path, HostProbe::default()).unwrap();
        let mut reader = SqliteDriver::open(&path).unwrap();
        reader.begin(TransactionMode::Read).unwrap();
        let count = Statement::new("SELECT count(*) FROM request");
        reader.query(count, &[], &mut |_| Ok(())).unwrap();
        for number in 0..30 {
            short_command(&path, &format!("k{number}"));
        }
        assert!(log_bytes(&path) > 2 * 1024 * 1024, "the reader keeps it");
        reader.rollback();
        short_command(&path, "last");
        assert!(log_bytes(&path) <= LOG_BYTES_KEPT.unsigned_abs(), "{}", log_bytes(&path));
        let mut later = SqliteDriver::open(&path).unwrap();
        later.query(count, &[], &mut |row| row.int(0).map(|count| assert_eq!(count, 31))).unwrap();
        assert!(pages_found(&path) < 30, "only what came after the new beginning counts");
    }
}
