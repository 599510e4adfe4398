//! The store: one connection and isolated transactions.

use std::path::{Path, PathBuf};

use orch_core::event::ActingProcess;
use orch_core::store_clock::{ClockAnchor, ClockJudgement, ClockReading, judge_clock};
use orch_core::time::Time;

use crate::driver::{
    DatabaseDriver, QueryPlan, SqlParameter, SqlRow, StatementCounts, TransactionMode, WriteDurability,
};
use crate::file_system::FileSystem;
use crate::migrate::StoreFileKind;
use crate::sqlite::{APPLICATION_ID, SqliteDriver};
use crate::table::thread::{self, StoreTimers};
use crate::{Fault, Statement, StoreLocation, file_system, migrate};

/// Whether each write closure is run twice, the first time rolled back, to test that it may be repeated.
///
/// Set in `.cargo/config.toml` for builds of the workspace; release builds do not contain it.
const REHEARSES_WRITES: bool = cfg!(debug_assertions)
    && matches!(option_env!("ORCH_TEST_RUN_TWICE"), Some(value) if matches!(value.as_bytes(), b"1"));

/// An open store.
pub struct Store {
    driver: Box<dyn DatabaseDriver>,
    folder: PathBuf,
    file_system: FileSystem,
    process: fn() -> ActingProcess,
}

/// The end of a write transaction.
#[derive(Debug)]
pub enum TxEnd<T, E> {
    /// The changes are committed.
    Commit(T),
    /// The changes are committed, and the caller gets an error.
    CommitThenFail(E),
    /// The changes are rolled back, as for a dry run.
    Rollback(T),
}

impl Store {
    /// Opens an existing store; an older one is migrated.
    ///
    /// # Errors
    /// The store does not exist, or is foreign, too new, damaged or on a network file system.
    pub fn open(location: &StoreLocation, allow_network: bool) -> Result<Self, Fault> {
        let path = sqlite_path(location)?;
        if !path.exists() {
            return Err(Fault::NotFound { searched: path.to_owned() });
        }
        let file_system = require_local(path, allow_network)?;
        let mut sqlite = SqliteDriver::open(path)?;
        let current = sqlite.read_header("user_version")? == migrate::newest_schema()
            && sqlite.read_header("application_id")? == APPLICATION_ID;
        if !current {
            match migrate::inspect_file(sqlite.connection(), path)? {
                StoreFileKind::Store(_) => {
                    migrate::migrate_store(sqlite.connection(), path, migrate::MIGRATIONS)?;
                }
                // `init` completes an interrupted creation.
                StoreFileKind::Blank => return Err(Fault::NotFound { searched: path.to_owned() }),
                StoreFileKind::Foreign => return Err(Fault::Foreign { place: path.display().to_string() }),
            }
        }
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { driver: Box::new(sqlite), folder, file_system, process: ActingProcess::default })
    }

    /// Creates a store unless it exists; returns whether it was created.
    ///
    /// # Errors
    /// The store cannot be created, or the file is not a store.
    pub fn create(location: &StoreLocation, allow_network: bool) -> Result<bool, Fault> {
        let path = sqlite_path(location)?;
        require_local(path, allow_network)?;
        migrate::create_store(path)
    }

    /// Names the source of the user and the host that events record; it is asked once an event is written.
    pub fn set_acting_process(&mut self, process: fn() -> ActingProcess) {
        self.process = process;
    }

    /// Returns the folder of the store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file system it lies on.
    #[must_use]
    pub fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// Returns the database's name and version, for people.
    #[must_use]
    pub fn engine_version(&self) -> String {
        self.driver.engine_version()
    }

    /// Returns how the database carries out each statement that ran here.
    pub fn query_plans(&mut self) -> Result<Vec<QueryPlan>, Fault> {
        self.driver.query_plans()
    }

    /// Returns the statement counts since the store was opened, for tests of the cost of operations.
    #[must_use]
    pub fn statement_counts(&self) -> StatementCounts {
        self.driver.statement_counts()
    }

    /// Runs `work` on a consistent snapshot.
    ///
    /// # Errors
    /// `work` or the store failed.
    pub fn read<T, E: From<Fault>>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.driver.begin(TransactionMode::Read)?;
        let outcome = work(&mut Transaction::new(self.driver.as_mut(), self.process));
        self.driver.rollback();
        outcome
    }

    /// Runs `work` as if it were alone. It may run more than once, so it touches nothing outside.
    ///
    /// # Errors
    /// `work` or the store failed; the changes are rolled back, except with [`TxEnd::CommitThenFail`].
    pub fn write<T, E: From<Fault>>(
        &mut self,
        durability: WriteDurability,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<TxEnd<T, E>, E>,
    ) -> Result<T, E> {
        self.driver.begin(TransactionMode::Write(durability))?;
        if REHEARSES_WRITES {
            self.rehearse(durability, &mut work)?;
        }
        match work(&mut Transaction::new(self.driver.as_mut(), self.process)) {
            Ok(TxEnd::Commit(outcome)) => self.commit().map(|()| outcome).map_err(E::from),
            Ok(TxEnd::CommitThenFail(error)) => {
                self.commit()?;
                Err(error)
            }
            Ok(TxEnd::Rollback(outcome)) => {
                self.driver.rollback();
                Ok(outcome)
            }
            Err(error) => {
                self.driver.rollback();
                Err(error)
            }
        }
    }

    /// Runs `work`, undoes all of it and begins the transaction again, so that `work` then runs for the second time.
    fn rehearse<T, E>(
        &mut self,
        durability: WriteDurability,
        work: &mut impl FnMut(&mut Transaction<'_>) -> Result<TxEnd<T, E>, E>,
    ) -> Result<(), Fault> {
        self.driver.set_counting(false);
        // Only the second outcome counts.
        let _ = work(&mut Transaction::new(self.driver.as_mut(), self.process));
        self.driver.rollback();
        let begun = self.driver.begin(TransactionMode::Write(durability));
        self.driver.set_counting(true);
        begun
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.driver.commit().inspect_err(|_| self.driver.rollback())
    }

    /// Returns a number that changes when another connection commits, for polling.
    ///
    /// # Errors
    /// The store failed, or its file was removed or replaced.
    pub fn change_counter(&mut self) -> Result<i64, Fault> {
        if !self.driver.is_in_place() {
            return Err(Fault::NotFound { searched: self.folder.clone() });
        }
        self.driver.change_counter()
    }

    /// Runs a checkpoint if one is due. Called after a command has printed its output.
    pub fn checkpoint_if_due(&mut self) {
        self.driver.checkpoint_if_due();
    }

    /// Runs the database's integrity check and returns one line per defect.
    pub fn check_integrity(&mut self) -> Result<Vec<String>, Fault> {
        self.driver.check_integrity()
    }
}

fn sqlite_path(location: &StoreLocation) -> Result<&Path, Fault> {
    match location {
        StoreLocation::Sqlite(path) => Ok(path),
        StoreLocation::Postgres(_) => Err(Fault::NotSupported { kind: "PostgreSQL" }),
    }
}

/// Rejects a network file system, unless it is allowed.
fn require_local(path: &Path, allow_network: bool) -> Result<FileSystem, Fault> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    match file_system::detect_file_system(there) {
        FileSystem::Network(kind) if !allow_network => {
            Err(Fault::NetworkFileSystem { place: path.display().to_string(), kind })
        }
        other => Ok(other),
    }
}

/// An open transaction, which the functions of the tables take.
pub struct Transaction<'a> {
    driver: &'a mut dyn DatabaseDriver,
    timers: Option<StoreTimers>,
    clock: Option<ClockJudgement>,
    process: fn() -> ActingProcess,
}

impl<'a> Transaction<'a> {
    fn new(driver: &'a mut dyn DatabaseDriver, process: fn() -> ActingProcess) -> Self {
        Self { driver, timers: None, clock: None, process }
    }

    /// Returns the user and the host of this process, for events.
    pub(crate) fn acting_process(&self) -> ActingProcess {
        (self.process)()
    }

    /// Returns the timers of the store as they were when they were first asked for in this transaction.
    pub fn timers(&mut self) -> Result<StoreTimers, Fault> {
        if let Some(timers) = self.timers {
            return Ok(timers);
        }
        let timers = thread::load_timers(self)?;
        self.timers = Some(timers);
        Ok(timers)
    }

    /// Runs a statement and returns how many rows it changed.
    pub fn execute(&mut self, statement: Statement, values: &[SqlParameter<'_>]) -> Result<u64, Fault> {
        self.driver.execute(statement, values)
    }

    /// Returns all rows of a query.
    pub fn query_all<T>(
        &mut self,
        statement: Statement,
        values: &[SqlParameter<'_>],
        row: impl Fn(&dyn SqlRow) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut rows = Vec::new();
        self.driver.query(statement, values, &mut |found| {
            rows.push(row(found)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Returns the first row of a query.
    pub fn query_first<T>(
        &mut self,
        statement: Statement,
        values: &[SqlParameter<'_>],
        row: impl Fn(&dyn SqlRow) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        Ok(self.query_all(statement, values, row)?.into_iter().next())
    }

    /// Returns the number that a query answers with; 0 when it has no row.
    pub fn query_number(&mut self, statement: Statement, values: &[SqlParameter<'_>]) -> Result<i64, Fault> {
        let number = self.query_first(statement, values, |row| row.int_or_null(0))?;
        Ok(number.flatten().unwrap_or(0))
    }

    /// Returns the time of the transaction, judged by the store's clock.
    pub fn transaction_time(&mut self, reading: &ClockReading) -> Result<Time, Fault> {
        let anchor = self.timers()?.anchor;
        Ok(self.judge_time(anchor.as_ref(), reading))
    }

    /// Judges the time of the transaction by an anchor that a statement of this transaction has read.
    pub fn judge_time(&mut self, anchor: Option<&ClockAnchor>, reading: &ClockReading) -> Time {
        let judged = judge_clock(anchor, reading);
        self.clock = Some(judged);
        judged.now
    }

    /// Returns how the time of the transaction was judged, once it was asked for.
    #[must_use]
    pub fn clock_judgement(&self) -> Option<ClockJudgement> {
        self.clock
    }
}
