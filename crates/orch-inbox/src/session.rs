//! A connection to a store, with a clock.

use std::path::Path;
use std::sync::Arc;

use orch_core::event::ActingProcess;
use orch_core::store_clock::{ClockAnchor, ClockChange, ClockJudgement, ClockReading, judge_clock};
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::{QueryPlan, StatementCounts, WriteDurability};
use orch_store::file_system::FileSystem;
use orch_store::table::store_clock;
use orch_store::{Store, StoreLocation, Transaction, TxEnd, migrate};

use crate::clock::{Clock, SystemClock};
use crate::world::HostEnvironment;
use crate::{Error, wake};
use orch_process::{EnvironmentVariables, host_name, user_name};

/// An open store with everything that an operation needs.
pub struct Session {
    store: Store,
    location: StoreLocation,
    options: OpenOptions,
    clock: Arc<dyn Clock>,
    world: HostEnvironment,
    warnings: Vec<String>,
    /// The time of the last transaction, with what the boot clock showed then.
    anchor: Option<ClockAnchor>,
    /// How far the wall clock was ahead in the last transaction that did not believe it.
    clock_disagreement: Option<TimeSpan>,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Opens a store on a network file system, which is refused otherwise.
    pub allow_network_fs: bool,
}

/// A store that was opened or created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedStore {
    /// The location.
    pub location: StoreLocation,
    /// Whether this call created it.
    pub created: bool,
    /// The version of its schema.
    pub schema: i64,
}

impl Session {
    /// Opens an existing store.
    pub fn open(location: &StoreLocation, options: OpenOptions) -> Result<Self, Error> {
        let mut store = Store::open(location, options.allow_network_fs)?;
        store.set_acting_process(acting_process);
        let warnings = match store.file_system() {
            FileSystem::Local => Vec::new(),
            FileSystem::Network(kind) => {
                vec![format!("The store is on a network file system ({kind}): SQLite may lose data there.")]
            }
            FileSystem::Unknown => vec![
                "The store is on a file system that is not known to be safe for several processes."
                    .to_owned(),
            ],
        };
        let world = HostEnvironment::new(EnvironmentVariables::inherit_sanitized());
        let (location, clock) = (location.clone(), Arc::new(SystemClock));
        Ok(Self { store, location, options, clock, world, warnings, anchor: None, clock_disagreement: None })
    }

    /// Opens a store, and creates it if it does not exist.
    pub fn open_or_create(
        location: &StoreLocation,
        options: OpenOptions,
    ) -> Result<(Self, OpenedStore), Error> {
        let created = Store::create(location, options.allow_network_fs)?;
        let session = Self::open(location, options)?;
        let info = OpenedStore { location: location.clone(), created, schema: migrate::newest_schema() };
        Ok((session, info))
    }

    /// Replaces the clock, for tests and simulations.
    #[must_use]
    pub fn with_clock(self, clock: Box<dyn Clock>) -> Self {
        Self { clock: clock.into(), ..self }
    }

    /// Opens another connection to the store, for another thread of this process.
    pub fn open_connection(&self) -> Result<Self, Error> {
        let other = Self::open(&self.location, self.options)?;
        Ok(Self { clock: Arc::clone(&self.clock), world: self.world.clone(), ..other })
    }

    /// Replaces the environment of programs, for tests.
    #[must_use]
    pub fn with_world(self, world: HostEnvironment) -> Self {
        Self { world, ..self }
    }

    /// Returns the access to git and to other programs.
    #[must_use]
    pub fn world(&self) -> &HostEnvironment {
        &self.world
    }

    /// Returns the warnings about the store, as full sentences for people.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Runs a checkpoint when one is due; call it after the response is printed.
    pub fn checkpoint_if_due(&mut self) {
        self.store.checkpoint_if_due();
    }

    /// Returns the query plan of each statement that ran in this session, for tests.
    pub fn query_plans(&mut self) -> Result<Vec<QueryPlan>, Error> {
        Ok(self.store.query_plans()?)
    }

    /// Returns how many statements and transactions this session has run, for tests.
    #[must_use]
    pub fn statement_counts(&self) -> StatementCounts {
        self.store.statement_counts()
    }

    /// Returns the store, for operations that check its integrity.
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Returns the folder that contains the store and its files.
    #[must_use]
    pub fn store_folder(&self) -> &Path {
        self.store.folder()
    }

    /// Returns the current time of the store, counted from the last transaction.
    pub fn clock_now(&self) -> Time {
        judge_clock(self.anchor.as_ref(), &self.clock.read()).now
    }

    /// Returns a warning if a transaction of this session did not believe the wall clock, as a full sentence for people.
    #[must_use]
    pub fn clock_warning(&self) -> Option<String> {
        let TimeSpan(ahead) = self.clock_disagreement?;
        let direction = if ahead > 0 { "ahead of" } else { "behind" };
        let seconds = ahead.unsigned_abs() / 1_000;
        Some(format!(
            "The clock of this machine is {seconds} s {direction} the time that has passed since the store was used before: leases, delays and default answers follow the time that has passed."
        ))
    }

    /// Returns a number that grows with each commit of another connection.
    pub fn change_counter(&mut self) -> Result<i64, Error> {
        Ok(self.store.change_counter()?)
    }

    /// Reads one consistent state, with the time of the transaction.
    pub fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>, Time) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let reading = self.clock.read();
        let mut judged = None;
        let outcome = self.store.read(|tx| {
            let now = tx.transaction_time(&reading)?;
            judged = tx.clock_judgement();
            work(tx, now)
        });
        self.note_time(judged, &reading);
        outcome
    }

    /// Reads one consistent state where the time does not matter: one statement less than [`Session::read`].
    pub fn query<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.store.read(work)
    }

    /// Records a change of the store's clock in a transaction of its own, because the one that found it has judged by the former clock.
    fn follow_clock(&mut self, durability: WriteDurability, reading: &ClockReading) -> Result<(), Error> {
        self.store
            .write(durability, |tx| {
                tx.transaction_time(reading)?;
                // Another process may have recorded it meanwhile.
                let change = tx.clock_judgement().and_then(|judged| judged.change);
                if let Some(change) = &change {
                    store_clock::apply_change(tx, change)?;
                }
                Ok::<_, Error>(TxEnd::Commit(change))
            })
            .map(|change| {
                if let Some(ClockChange::Adopt { anchor, .. }) = change {
                    (self.anchor, self.clock_disagreement) = (Some(anchor), None);
                }
            })
    }

    /// Remembers the time of a transaction, from which [`Session::clock_now`] counts.
    fn note_time(&mut self, judged: Option<ClockJudgement>, reading: &ClockReading) {
        let (Some(judged), Some(boot)) = (judged, reading.boot) else { return };
        self.anchor = Some(ClockAnchor { time: judged.now, boot, step: None });
        self.clock_disagreement = judged.disagreement.or(self.clock_disagreement);
    }

    /// Runs a change in a transaction, then wakes the processes that wait.
    pub fn write<T>(
        &mut self,
        durability: WriteDurability,
        mut work: impl FnMut(&mut Transaction<'_>, Time) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<T, Error> {
        self.write_after(durability, read_time, |tx, now, ()| work(tx, now))
    }

    /// Runs a change whose first statement reads the time together with something else.
    pub(crate) fn write_after<O, T>(
        &mut self,
        durability: WriteDurability,
        mut open: impl FnMut(&mut Transaction<'_>, &ClockReading) -> Result<(Time, O), Error>,
        mut work: impl FnMut(&mut Transaction<'_>, Time, O) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<T, Error> {
        let reading = self.clock.read();
        let mut judged = None;
        let outcome = self.store.write(durability, |tx| {
            let (now, opened) = open(tx, &reading)?;
            judged = tx.clock_judgement();
            work(tx, now, opened)
        });
        self.note_time(judged, &reading);
        if judged.is_some_and(|judged| judged.change.is_some()) {
            // What was asked for is done; the next write finds the same change.
            let _unrecorded = self.follow_clock(durability, &reading);
        }
        // A refused write may have been committed as well; a needless wake-up costs one query.
        wake::signal_waiters(self.store.folder());
        outcome
    }
}

/// Returns the user and the host of this process.
fn acting_process() -> ActingProcess {
    ActingProcess { user: Some(user_name().to_owned()), host: Some(host_name().to_owned()) }
}

/// Opens a transaction that needs nothing but its time.
pub(crate) fn read_time(tx: &mut Transaction<'_>, clock: &ClockReading) -> Result<(Time, ()), Error> {
    Ok((tx.transaction_time(clock)?, ()))
}
