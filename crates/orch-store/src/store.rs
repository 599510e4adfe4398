//! The store: one connection, and transactions that behave as if they were alone.

use std::path::{Path, PathBuf};

use orch_core::time::Time;

use crate::driver::{Driver, Durability, Mode, Plan, Row, StatementCounts, Value};
use crate::file_system::FileSystem;
use crate::migrate::Content;
use crate::sqlite::{APPLICATION_ID, Sqlite};
use crate::statement::statements;
use crate::{Fault, Location, Statement, file_system, migrate};

/// Whether each write closure is run twice, first on trial: it may run more than once, so it must not matter.
///
/// `.cargo/config.toml` says so when the workspace is built; a release build has no trace of it.
const REHEARSES_WRITES: bool = cfg!(debug_assertions)
    && matches!(option_env!("ORCH_TEST_RUN_TWICE"), Some(value) if matches!(value.as_bytes(), b"1"));

/// An open store.
pub struct Store {
    driver: Box<dyn Driver>,
    folder: PathBuf,
    file_system: FileSystem,
}

/// How a write transaction ends.
#[derive(Debug)]
pub enum Ending<T, E> {
    /// What was written stays.
    Keep(T),
    /// What was written stays, and the caller is told an error all the same.
    KeepAndFail(E),
    /// What was written is undone; for looking at what a change would do.
    Undo(T),
}

impl Store {
    /// Opens a store that is there; an older one is brought up to date.
    ///
    /// # Errors
    /// There is none, it is not ours, too new, damaged, or on a network file system.
    pub fn open(location: &Location, allow_network: bool) -> Result<Self, Fault> {
        let path = sqlite_path(location)?;
        if !path.exists() {
            return Err(Fault::NotFound { searched: path.to_owned() });
        }
        let file_system = require_local(path, allow_network)?;
        let mut sqlite = Sqlite::open(path)?;
        let current = sqlite.header("user_version")? == migrate::newest()
            && sqlite.header("application_id")? == APPLICATION_ID;
        if !current {
            match migrate::content(sqlite.connection(), path)? {
                Content::Store(_) => migrate::update(sqlite.connection(), path, migrate::MIGRATIONS)?,
                // What somebody died making is for `init` to finish.
                Content::Blank => return Err(Fault::NotFound { searched: path.to_owned() }),
                Content::Foreign => return Err(Fault::Foreign { place: path.display().to_string() }),
            }
        }
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { driver: Box::new(sqlite), folder, file_system })
    }

    /// Makes a store unless there is one; says whether it was made here.
    ///
    /// # Errors
    /// It cannot be made, or what is there is not ours.
    pub fn create(location: &Location, allow_network: bool) -> Result<bool, Fault> {
        let path = sqlite_path(location)?;
        require_local(path, allow_network)?;
        migrate::create(path)
    }

    /// The folder that the store and what belongs to it lie in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file system it lies on.
    #[must_use]
    pub fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// The database's name and version, for people.
    #[must_use]
    pub fn engine(&self) -> String {
        self.driver.engine()
    }

    /// How the database carries out each statement that ran here.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn plans(&mut self) -> Result<Vec<Plan>, Fault> {
        self.driver.plans()
    }

    /// How much has been asked of the database here since it was opened, for tests that hold operations to their cost.
    #[must_use]
    pub fn statement_counts(&self) -> StatementCounts {
        self.driver.statement_counts()
    }

    /// Reads one consistent state.
    ///
    /// # Errors
    /// What `work` says, or the store failed.
    pub fn read<T, E: From<Fault>>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.driver.begin(Mode::Read)?;
        let outcome = work(&mut Transaction { driver: self.driver.as_mut() });
        self.driver.rollback();
        outcome
    }

    /// Runs `work` as if it were alone. It may run more than once, so it touches nothing outside.
    ///
    /// # Errors
    /// What `work` says, in which case nothing of it is kept unless it said otherwise, or the store failed.
    pub fn write<T, E: From<Fault>>(
        &mut self,
        durability: Durability,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<Ending<T, E>, E>,
    ) -> Result<T, E> {
        self.driver.begin(Mode::Write(durability))?;
        if REHEARSES_WRITES {
            self.rehearse(durability, &mut work)?;
        }
        match work(&mut Transaction { driver: self.driver.as_mut() }) {
            Ok(Ending::Keep(outcome)) => self.commit().map(|()| outcome).map_err(E::from),
            Ok(Ending::KeepAndFail(error)) => {
                self.commit()?;
                Err(error)
            }
            Ok(Ending::Undo(outcome)) => {
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
        durability: Durability,
        work: &mut impl FnMut(&mut Transaction<'_>) -> Result<Ending<T, E>, E>,
    ) -> Result<(), Fault> {
        self.driver.set_counting(false);
        // Only the second outcome counts.
        let _ = work(&mut Transaction { driver: self.driver.as_mut() });
        self.driver.rollback();
        let begun = self.driver.begin(Mode::Write(durability));
        self.driver.set_counting(true);
        begun
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.driver.commit().inspect_err(|_| self.driver.rollback())
    }

    /// A number that changes when another connection commits; whoever waits asks for it again and again.
    ///
    /// # Errors
    /// The store failed, or is not where it was opened any more.
    pub fn change_counter(&mut self) -> Result<i64, Fault> {
        if !self.driver.is_in_place() {
            return Err(Fault::NotFound { searched: self.folder.clone() });
        }
        self.driver.change_counter()
    }

    /// Does what may wait until an answer is printed.
    pub fn tend(&mut self) {
        self.driver.tend();
    }

    /// What the database says of its own soundness; empty when all is well.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn integrity(&mut self) -> Result<Vec<String>, Fault> {
        self.driver.integrity()
    }
}

fn sqlite_path(location: &Location) -> Result<&Path, Fault> {
    match location {
        Location::Sqlite(path) => Ok(path),
        Location::Postgres(_) => Err(Fault::NotSupported { kind: "PostgreSQL" }),
    }
}

/// Refuses a file system that several hosts share, unless it is allowed.
fn require_local(path: &Path, allow_network: bool) -> Result<FileSystem, Fault> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    match file_system::of(there) {
        FileSystem::Network(kind) if !allow_network => {
            Err(Fault::NetworkFileSystem { place: path.display().to_string(), kind })
        }
        other => Ok(other),
    }
}

statements! {
    const NEWEST_TIME = "SELECT at FROM event ORDER BY id DESC LIMIT 1";
}

/// A transaction under way. The functions of the tables take it.
pub struct Transaction<'a> {
    driver: &'a mut dyn Driver,
}

impl Transaction<'_> {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// The store failed.
    pub fn run(&mut self, statement: Statement, values: &[Value<'_>]) -> Result<u64, Fault> {
        self.driver.execute(statement, values)
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// The store failed, or `row` did.
    pub fn all<T>(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
        row: impl Fn(&dyn Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut rows = Vec::new();
        self.driver.query(statement, values, &mut |found| {
            rows.push(row(found)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// The store failed, or `row` did.
    pub fn first<T>(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
        row: impl Fn(&dyn Row) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        Ok(self.all(statement, values, row)?.into_iter().next())
    }

    /// The number that a query answers with; 0 when it has no row.
    ///
    /// # Errors
    /// The store failed.
    pub fn number(&mut self, statement: Statement, values: &[Value<'_>]) -> Result<i64, Fault> {
        let number = self.first(statement, values, |row| row.int_or_null(0))?;
        Ok(number.flatten().unwrap_or(0))
    }

    /// The time of the transaction: the clock's, but never earlier than the newest event.
    ///
    /// # Errors
    /// The store failed.
    pub fn now(&mut self, clock: Time) -> Result<Time, Fault> {
        Ok(clock.max(Time(self.number(NEWEST_TIME, &[])?)))
    }
}
