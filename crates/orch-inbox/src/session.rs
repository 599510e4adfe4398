//! One door's connection to the store, with a clock.

use std::path::Path;
use std::sync::Arc;

use orch_core::time::Time;
use orch_store::driver::{QueryPlan, StatementCounts, WriteDurability};
use orch_store::file_system::FileSystem;
use orch_store::{Store, StoreLocation, Transaction, TxEnd, migrate};

use crate::clock::{Clock, SystemClock};
use crate::world::HostEnvironment;
use crate::{Error, wake};
use orch_process::EnvironmentVariables;

/// An open store with everything an operation needs.
pub struct Session {
    store: Store,
    location: StoreLocation,
    options: OpenOptions,
    clock: Arc<dyn Clock>,
    world: HostEnvironment,
    warnings: Vec<String>,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Opens a store on a network file system all the same.
    pub allow_network_fs: bool,
}

/// A store that was opened or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedStore {
    /// Where it is.
    pub location: StoreLocation,
    /// Whether it was made just now.
    pub created: bool,
    /// Its schema.
    pub schema: i64,
}

impl Session {
    /// Opens a store that is there.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(location: &StoreLocation, options: OpenOptions) -> Result<Self, Error> {
        let store = Store::open(location, options.allow_network_fs)?;
        let warnings = match store.file_system() {
            FileSystem::Local => Vec::new(),
            FileSystem::Network(kind) => {
                vec![format!("The store lies on a network file system ({kind}): SQLite may lose data there.")]
            }
            FileSystem::Unknown => {
                vec![
                    "The store lies on a file system that is not known to be safe for several processes."
                        .to_owned(),
                ]
            }
        };
        let world = HostEnvironment::new(EnvironmentVariables::inherit_sanitized());
        let (location, clock) = (location.clone(), Arc::new(SystemClock));
        Ok(Self { store, location, options, clock, world, warnings })
    }

    /// Opens a store, making it when there is none.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn open_or_create(
        location: &StoreLocation,
        options: OpenOptions,
    ) -> Result<(Self, OpenedStore), Error> {
        let created = Store::create(location, options.allow_network_fs)?;
        let session = Self::open(location, options)?;
        let info = OpenedStore { location: location.clone(), created, schema: migrate::newest_schema() };
        Ok((session, info))
    }

    /// The same session with another clock, for tests and simulations.
    #[must_use]
    pub fn with_clock(self, clock: Box<dyn Clock>) -> Self {
        Self { clock: clock.into(), ..self }
    }

    /// Another connection to the same store, for another thread.
    pub fn open_connection(&self) -> Result<Self, Error> {
        let other = Self::open(&self.location, self.options)?;
        Ok(Self { clock: Arc::clone(&self.clock), world: self.world.clone(), ..other })
    }

    /// The same session with another world, for tests.
    #[must_use]
    pub fn with_world(self, world: HostEnvironment) -> Self {
        Self { world, ..self }
    }

    /// What reaches git and processes.
    #[must_use]
    pub fn world(&self) -> &HostEnvironment {
        &self.world
    }

    /// Warnings that came up when the store was opened, for people: full sentences.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Does what may wait until the answer is printed: a checkpoint when one is due. Failure costs nothing but speed.
    pub fn checkpoint_if_due(&mut self) {
        self.store.checkpoint_if_due();
    }

    /// How the database carries out each statement that ran in this session, for tests that hold them to their indexes.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn query_plans(&mut self) -> Result<Vec<QueryPlan>, Error> {
        Ok(self.store.query_plans()?)
    }

    /// How much this session has asked of the database, for tests that hold operations to their cost.
    #[must_use]
    pub fn statement_counts(&self) -> StatementCounts {
        self.store.statement_counts()
    }

    /// The store itself, for the operations that look at its soundness.
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Returns the folder that contains the store and its files.
    #[must_use]
    pub fn store_folder(&self) -> &Path {
        self.store.folder()
    }

    /// What the clock says.
    pub fn clock_now(&self) -> Time {
        self.clock.now()
    }

    /// A number that grows with each commit of another connection.
    ///
    /// # Errors
    /// The store failed.
    pub fn change_counter(&mut self) -> Result<i64, Error> {
        Ok(self.store.change_counter()?)
    }

    /// Reads one consistent state.
    pub fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>, Time) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let clock = self.clock.now();
        self.store.read(|tx| {
            let now = tx.transaction_time(clock)?;
            work(tx, now)
        })
    }

    /// Runs a decision in a transaction of its own, then wakes whoever waits.
    pub fn write<T>(
        &mut self,
        durability: WriteDurability,
        mut work: impl FnMut(&mut Transaction<'_>, Time) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<T, Error> {
        let clock = self.clock.now();
        let outcome = self.store.write(durability, |tx| {
            let now = tx.transaction_time(clock)?;
            work(tx, now)
        });
        // A refusal may have kept something as well; a needless wake costs one look.
        wake::signal_waiters(self.store.folder());
        outcome
    }
}
