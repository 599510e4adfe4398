//! The store: one connection and isolated transactions.

use std::path::{Path, PathBuf};

use orch_core::event::ActingProcess;
use orch_core::placement::{PlaceOccupant, StorePlacement, classify_placement};
use orch_core::store_clock::{ClockAnchor, ClockJudgement, ClockReading, judge_clock};
use orch_core::time::Time;

use crate::driver::{
    DatabaseDriver, QueryPlan, SqlParameter, SqlRow, StatementCounts, TransactionMode, WriteDurability,
};
use crate::file_system::FileSystem;
use crate::migrate::StoreFileKind;
use crate::placement::{self, HostProbe, MovedPath};
use crate::sqlite::SqliteDriver;
use crate::sqlite_at_rest::read_foreign_identity;
use crate::sqlite_backup::{self, BackupContents, UsedNumbers};
use crate::table::store_identity::{self, MovedFolder, StoreIdentity};
use crate::table::thread::{self, StoreTimers};
use crate::table::{id_high_water, supervisor};
use crate::{Fault, Statement, StoreLocation, file_system, location, migrate};

/// Whether each write closure is run twice, the first time rolled back, to test that it may be repeated.
///
/// Set in `.cargo/config.toml` for builds of the workspace; release builds do not contain it.
const REHEARSES_WRITES: bool = cfg!(debug_assertions)
    && matches!(option_env!("ORCH_TEST_RUN_TWICE"), Some(value) if matches!(value.as_bytes(), b"1"));

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreOptions {
    /// Opens a store on a network file system, which is refused otherwise.
    pub allow_network: bool,
    /// The machine and its processes.
    pub host: HostProbe,
}

/// An open store.
pub struct Store {
    driver: Box<dyn DatabaseDriver>,
    path: PathBuf,
    folder: PathBuf,
    file_system: FileSystem,
    process: fn() -> ActingProcess,
    options: StoreOptions,
    identity: StoreIdentity,
    placement: StorePlacement,
    /// The processes of an older version that use the file; this is a snapshot of it then.
    older_users: Option<OlderUsers>,
}

/// Processes of an older version that use a store of an older schema.
struct OlderUsers {
    schema: i64,
    processes: Vec<String>,
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
    /// Opens an existing store; an older one is migrated, unless processes of its version use it: then a snapshot
    /// of it is opened, which can be read.
    ///
    /// # Errors
    /// The store does not exist, or is foreign, too new, damaged or on a network file system.
    pub fn open(location: &StoreLocation, options: StoreOptions) -> Result<Self, Fault> {
        let path = sqlite_path(location)?;
        if !path.exists() {
            return Err(Fault::NotFound { searched: path.to_owned() });
        }
        let file_system = require_local(path, options.allow_network)?;
        let opened = open_current_schema(path, options.host)?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let mut store = Self {
            driver: Box::new(opened.driver),
            path: path.to_owned(),
            folder,
            process: ActingProcess::default,
            file_system,
            options,
            identity: opened.identity,
            placement: StorePlacement::Home,
            older_users: opened.older_users,
        };
        store.placement = store.find_placement()?;
        Ok(store)
    }

    /// Creates a store unless it exists; returns whether it was created.
    ///
    /// # Errors
    /// The store cannot be created, or the file is not a store.
    pub fn create(location: &StoreLocation, options: StoreOptions) -> Result<bool, Fault> {
        let path = sqlite_path(location)?;
        require_local(path, options.allow_network)?;
        migrate::create_store(path, options.host)
    }

    fn find_placement(&mut self) -> Result<StorePlacement, Fault> {
        let home = &self.identity.home;
        if self.identity.id.is_empty() {
            return Ok(StorePlacement::Home);
        }
        // The usual case takes no look at the file system.
        if self.path.to_str() == Some(home.path.as_str()) && self.driver.file_number() == Some(home.file) {
            return Ok(StorePlacement::Home);
        }
        let found = placement::place_of(&self.path, (self.options.host.machine)());
        if found.path == home.path {
            return Ok(classify_placement(home, &found, || PlaceOccupant::SameFile, || true));
        }
        let has_live_work = self.has_live_work()?;
        let identity = &self.identity;
        let read_is_same =
            |path: &Path| Some(read_foreign_identity(path).ok()?.as_ref() == Some(&identity.id));
        let occupant = || placement::find_occupant(&identity.home, &found, read_is_same);
        Ok(classify_placement(&identity.home, &found, occupant, || has_live_work))
    }

    /// Returns whether an attempt is live, or a supervisor that may be alive.
    fn has_live_work(&mut self) -> Result<bool, Fault> {
        let host = self.options.host;
        self.read(|tx| {
            let supervisors = supervisor::list_all(tx)?;
            let may_live = |row: &supervisor::Supervisor| {
                row.host != (host.machine)() || (host.is_alive)(&row.host, &row.process)
            };
            Ok(store_identity::has_live_attempt(tx)? || supervisors.iter().any(may_live))
        })
    }

    /// Lists the supervisors and workers that are alive on this machine and use the store, as texts for people.
    pub fn list_live_processes(&mut self) -> Result<Vec<String>, Fault> {
        let host = self.options.host;
        self.read(|tx| {
            let supervisors = supervisor::list_all(tx)?.into_iter();
            let supervisors = supervisors.map(|row| ("supervisor", row.host, row.process));
            let workers = store_identity::list_live_workers(tx)?.into_iter();
            let workers = workers.map(|(machine, process, _)| ("worker", machine, process));
            let live =
                supervisors.chain(workers).filter(|(_, machine, process)| (host.is_alive)(machine, process));
            Ok(live.map(|(what, _, process)| migrate::process_text(what, &process)).collect())
        })
    }

    /// Returns the identity and the recorded place.
    #[must_use]
    pub fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    /// Returns how the place of the store compares to its recorded one.
    #[must_use]
    pub fn placement(&self) -> StorePlacement {
        self.placement
    }

    /// Returns the path of the store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns why nothing may be changed here, if so.
    #[must_use]
    pub fn write_refusal(&self) -> Option<Fault> {
        if let Some(users) = &self.older_users {
            let (place, found) = (self.path.display().to_string(), users.schema);
            return Some(Fault::InUse { place, found, processes: users.processes.clone() });
        }
        match self.placement {
            StorePlacement::Home | StorePlacement::OtherPath | StorePlacement::Moved => None,
            StorePlacement::Copied | StorePlacement::Undecided => Some(Fault::Copied {
                here: self.path.clone(),
                home: PathBuf::from(&self.identity.home.path),
                is_certain: self.placement == StorePlacement::Copied,
            }),
        }
    }

    /// Records this place as the store's own, and paths below the folders that were moved under their new names.
    ///
    /// Returns those folders.
    ///
    /// # Errors
    /// The store failed.
    pub fn record_move(&mut self) -> Result<Vec<MovedPath>, Fault> {
        let id = self.identity.id.clone();
        // Worktrees that stayed behind stay where they are.
        self.record_place(id, |worktrees| !worktrees.from.exists(), |_| Ok(()))
    }

    /// Gives a copy an identity of its own, after `work` has ended what belongs to the original.
    ///
    /// # Errors
    /// `work` or the store failed; the copy stays one.
    pub fn record_copy<E: From<Fault>>(
        &mut self,
        id: String,
        work: impl FnMut(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.record_place(id, |_| true, work).map(|_| ())
    }

    fn record_place<E: From<Fault>>(
        &mut self,
        id: String,
        are_worktrees_moved: impl FnOnce(&MovedPath) -> bool,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<Vec<MovedPath>, E> {
        let home = placement::place_of(&self.path, (self.options.host.machine)());
        let (outermost, worktrees) =
            placement::moved_folders(Path::new(&self.identity.home.path), Path::new(&home.path));
        let moved: Vec<_> = worktrees.filter(are_worktrees_moved).into_iter().chain([outermost]).collect();
        let text = placement::path_text;
        let texts: Vec<_> = moved.iter().map(|moved| (text(&moved.from), text(&moved.to))).collect();
        let repository = location::served_repository(&self.path).map(|common| text(&common));
        self.adopt_identity(StoreIdentity { id, home, repository }, |tx| {
            work(tx)?;
            let mut folders = texts.iter().map(|(from, to)| MovedFolder { from, to });
            Ok::<(), E>(folders.try_for_each(|moved| store_identity::rename_folder(tx, moved))?)
        })?;
        Ok(moved)
    }

    /// Saves an identity together with what follows from it.
    fn adopt_identity<E: From<Fault>>(
        &mut self,
        identity: StoreIdentity,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = std::mem::replace(&mut self.placement, StorePlacement::Home);
        let saved = self.write(WriteDurability::Power, |tx| {
            work(tx)?;
            store_identity::save(tx, &identity)?;
            Ok(TxEnd::Commit(()))
        });
        match saved {
            Ok(()) => self.identity = identity,
            Err(_) => self.placement = before,
        }
        saved
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
        if let Some(refusal) = self.write_refusal() {
            return Err(refusal.into());
        }
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

/// What a restored store holds, and where the content before it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredStore {
    /// What it holds now.
    pub contents: BackupContents,
    /// The copy of what it held before.
    pub kept: PathBuf,
}

impl Store {
    /// Writes a copy of the store, which may be in use, and checks it; it is on the disk when this returns.
    ///
    /// # Errors
    /// The file exists, or cannot be written; or the store is damaged.
    pub fn back_up(&mut self, target: &Path) -> Result<BackupContents, Fault> {
        sqlite_backup::write_backup(self.driver.as_mut(), target)
    }

    /// Checks a backup, and returns what it holds.
    ///
    /// # Errors
    /// The file is damaged, is no store, or is one of a newer version.
    pub fn inspect_backup(backup: &Path) -> Result<BackupContents, Fault> {
        sqlite_backup::inspect_backup(backup)
    }

    /// Replaces the content of the store by that of a backup; what it held is kept beside it.
    ///
    /// The place stays this one, and numbers that were used stay used.
    ///
    /// # Errors
    /// The backup is not sound, or a file cannot be written: the store is unchanged.
    pub fn restore(&mut self, backup: &Path) -> Result<RestoredStore, Fault> {
        if let Some(refusal) = self.write_refusal() {
            return Err(refusal);
        }
        let contents = sqlite_backup::inspect_backup(backup)?;
        let (thread, message) = self.read(id_high_water::newest_numbers)?;
        let used = UsedNumbers { thread, message };
        let content = sqlite_backup::prepare_content(backup, &self.path, used, self.options.host)?;
        let kept = sqlite_backup::kept_name(&self.path);
        sqlite_backup::write_backup(self.driver.as_mut(), &kept)?;
        self.driver.replace_content(&content)?;
        // A leftover is written again by the next restoring.
        let _ = std::fs::remove_file(&content);
        let home = self.identity.home.clone();
        let restored = self.read(store_identity::load)?.unwrap_or_default();
        self.adopt_identity(StoreIdentity { home, ..restored }, |_| Ok::<(), Fault>(()))?;
        Ok(RestoredStore { contents, kept })
    }
}

fn sqlite_path(location: &StoreLocation) -> Result<&Path, Fault> {
    match location {
        StoreLocation::Sqlite(path) => Ok(path),
        StoreLocation::Postgres(_) => Err(Fault::NotSupported { kind: "PostgreSQL" }),
    }
}

/// A file that was brought to the current schema.
struct CurrentFile {
    driver: SqliteDriver,
    identity: StoreIdentity,
    older_users: Option<OlderUsers>,
}

/// Opens a file and brings it to the current schema; where older processes use it, opens a snapshot of it.
fn open_current_schema(path: &Path, host: HostProbe) -> Result<CurrentFile, Fault> {
    let mut driver = SqliteDriver::open(path)?;
    if driver.read_header("user_version")? == migrate::newest_schema() {
        match load_identity(&mut driver) {
            Ok(identity) => return Ok(CurrentFile { driver, identity, older_users: None }),
            // Another program's file has no such table.
            Err(Fault::Database { .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    let schema = match migrate::inspect_file(driver.connection(), path)? {
        StoreFileKind::Store(schema) => schema,
        // `init` completes an interrupted creation.
        StoreFileKind::Blank => return Err(Fault::NotFound { searched: path.to_owned() }),
        StoreFileKind::Foreign => return Err(Fault::Foreign { place: path.display().to_string() }),
    };
    let mut processes = Vec::new();
    if schema < migrate::newest_schema() {
        processes = migrate::list_live_processes(driver.connection(), path, host)?;
    }
    let older_users = if processes.is_empty() {
        migrate::migrate_store(driver.connection(), path, migrate::MIGRATIONS, host)?;
        None
    } else {
        driver = SqliteDriver::open_migrated_snapshot(driver, host)?;
        Some(OlderUsers { schema, processes })
    };
    let identity = load_identity(&mut driver)?;
    Ok(CurrentFile { driver, identity, older_users })
}

/// Reads the identity without a transaction: one statement reads one consistent state.
fn load_identity(driver: &mut SqliteDriver) -> Result<StoreIdentity, Fault> {
    Ok(store_identity::load(&mut Transaction::new(driver, ActingProcess::default))?.unwrap_or_default())
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
