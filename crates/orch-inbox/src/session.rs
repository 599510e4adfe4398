//! A connection to a store, with a clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::event::ActingProcess;
use orch_core::placement::StorePlacement;
use orch_core::store_clock::{ClockAnchor, ClockChange, ClockJudgement, ClockReading, judge_clock};
use orch_core::time::{Time, TimeSpan};
use orch_git::canonicalize_existing;
use orch_store::driver::{QueryPlan, StatementCounts, WriteDurability};
use orch_store::file_system::FileSystem;
use orch_store::table::store_clock;
use orch_store::table::store_identity::StoreIdentity;
use orch_store::{Fault, HostProbe, Store, StoreLocation, StoreOptions, Transaction, TxEnd, migrate};

use crate::clock::{Clock, SystemClock};
use crate::world::HostEnvironment;
use crate::{Error, token, wake};
use orch_process::presence::{ProcessLiveness, process_liveness};
use orch_process::{EnvironmentVariables, host_id, host_name, user_name};

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
    /// Its identity and recorded place.
    pub identity: StoreIdentity,
    /// The real path of its file.
    pub path: PathBuf,
}

impl OpenOptions {
    fn store_options(self) -> StoreOptions {
        let host = HostProbe { machine: host_id, is_alive: is_process_alive };
        StoreOptions { allow_network: self.allow_network_fs, host }
    }
}

/// Returns whether a process of this host is alive; of another host that cannot be known.
fn is_process_alive(host: &str, process: &str) -> bool {
    process_liveness(host, process) == ProcessLiveness::Alive
}

/// Returns the warning that belongs to the answers of a store that is not where it was recorded.
fn placement_warning(store: &Store) -> Option<String> {
    let (here, home) = (store.path().display(), &store.identity().home.path);
    match store.placement() {
        StorePlacement::Home | StorePlacement::OtherPath if store.write_refusal().is_some() => Some(
            "Processes of an older version use the store: this is a snapshot of it, and nothing can be changed \
             until they have ended."
                .to_owned(),
        ),
        StorePlacement::Home | StorePlacement::OtherPath => None,
        StorePlacement::Moved => Some(format!(
            "The store was moved from {home} to {here}; the next change records the new place."
        )),
        StorePlacement::Copied => Some(format!(
            "This store is a copy of the one at {home}: it is only read. `orch init --as-copy` makes it a store of its own."
        )),
        StorePlacement::Undecided => Some(format!(
            "This store was recorded at {home}, and whether it was moved or copied cannot be told: it is only read. \
             Decide with `orch init --moved` or `orch init --as-copy`."
        )),
    }
}

impl Session {
    /// Opens an existing store.
    pub fn open(location: &StoreLocation, options: OpenOptions) -> Result<Self, Error> {
        let mut store = Store::open(location, options.store_options())?;
        store.set_acting_process(acting_process);
        let mut warnings = match store.file_system() {
            FileSystem::Local => Vec::new(),
            FileSystem::Network(kind) => {
                vec![format!("The store is on a network file system ({kind}): SQLite may lose data there.")]
            }
            FileSystem::Unknown => vec![
                "The store is on a file system that is not known to be safe for several processes."
                    .to_owned(),
            ],
        };
        warnings.extend(placement_warning(&store));
        let world = HostEnvironment::new(EnvironmentVariables::inherit_sanitized());
        let (location, clock) = (location.clone(), Arc::new(SystemClock));
        Ok(Self { store, location, options, clock, world, warnings, anchor: None, clock_disagreement: None })
    }

    /// Opens a store, and creates it if it does not exist.
    pub fn open_or_create(
        location: &StoreLocation,
        options: OpenOptions,
    ) -> Result<(Self, OpenedStore), Error> {
        let created = Store::create(location, options.store_options())?;
        let session = Self::open(location, options)?;
        let info = session.describe_store(created);
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

    /// Returns how the place of the store compares to its recorded one.
    #[must_use]
    pub fn placement(&self) -> StorePlacement {
        self.store.placement()
    }

    /// Returns whether changes are possible here: not in a copy, nor in a store that older processes use.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.store.write_refusal().is_none()
    }

    /// Refuses what reaches out of the store, such as a signal, where nothing may be changed.
    ///
    /// # Errors
    /// The store is a copy, or processes of an older version use it.
    pub fn require_writable(&self) -> Result<(), Error> {
        self.store.write_refusal().map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Returns the fault of an operation that needs a path which is not visible here, if that is the reason.
    #[must_use]
    pub fn elsewhere_fault(&self, repository: &Path) -> Option<Fault> {
        (self.placement() == StorePlacement::OtherPath).then(|| Fault::Elsewhere {
            repository: repository.to_owned(),
            here: self.store.path().to_owned(),
            home: PathBuf::from(&self.store.identity().home.path),
        })
    }

    /// Describes the store.
    #[must_use]
    pub fn describe_store(&self, created: bool) -> OpenedStore {
        let path = self.store.path();
        OpenedStore {
            location: self.location.clone(),
            created,
            schema: migrate::newest_schema(),
            identity: self.store.identity().clone(),
            path: canonicalize_existing(path),
        }
    }

    /// Lists the supervisors and workers that are alive and use the store; `None` when there are none.
    ///
    /// # Errors
    /// The store failed.
    pub fn live_processes(&mut self) -> Result<Option<Vec<String>>, Error> {
        Ok(Some(self.store.list_live_processes()?).filter(|processes| !processes.is_empty()))
    }

    /// Records this place as the store's own: paths of the moved folder, and the links of its worktrees.
    ///
    /// # Errors
    /// The store failed. A link that cannot be repaired is a warning.
    pub fn record_move(&mut self) -> Result<(), Error> {
        let before = self.store.identity().clone();
        let folders = self.store.record_move()?;
        let after = self.store.identity();
        self.warnings.retain(|warning| !warning.starts_with("The store was moved from"));
        self.warnings.push(format!(
            "The store was moved from {} to {}; the new place is recorded.",
            before.home.path, after.home.path
        ));
        let (Some(from), Some(to)) = (before.repository, after.repository.clone()) else { return Ok(()) };
        let folders: Vec<_> = folders.into_iter().map(|moved| (moved.from, moved.to)).collect();
        let repaired = self
            .world
            .open_repository(Path::new(&to))
            .and_then(|repository| repository.repair_moved_worktrees(Path::new(&from), &folders));
        if let Err(error) = repaired {
            self.warnings.push(format!("The links of worktrees could not be repaired: {error}."));
        }
        Ok(())
    }

    /// Records a move that was found when the store was opened, before anything is changed or looked up by path.
    ///
    /// # Errors
    /// As [`Session::record_move`].
    pub fn settle_move(&mut self) -> Result<(), Error> {
        if self.placement() == StorePlacement::Moved { self.record_move() } else { Ok(()) }
    }

    /// Gives a copy an identity of its own, after `work` has ended what belongs to the original.
    ///
    /// # Errors
    /// `work` or the store failed; the copy stays one.
    pub fn record_copy(
        &mut self,
        mut work: impl FnMut(&mut Transaction<'_>, Time) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let reading = self.clock.read();
        let id = format!("s-{}", &token::random_token()?[..16]);
        self.store.record_copy(id, |tx| {
            let now = tx.transaction_time(&reading)?;
            work(tx, now)
        })?;
        self.warnings.retain(|warning| !warning.starts_with("This store"));
        Ok(())
    }

    /// Adds a warning, a full sentence.
    pub fn add_warning(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Removes and returns the warnings.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
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
        self.settle_move()?;
        let reading = self.clock.read();
        let (mut judged, mut may_be_committed) = (None, false);
        let outcome = self.store.write(durability, |tx| {
            let (now, opened) = open(tx, &reading)?;
            judged = tx.clock_judgement();
            let end = work(tx, now, opened)?;
            may_be_committed = !matches!(end, TxEnd::Rollback(_));
            Ok(end)
        });
        self.note_time(judged, &reading);
        if judged.is_some_and(|judged| judged.change.is_some()) {
            // What was asked for is done; the next write finds the same change.
            let _unrecorded = self.follow_clock(durability, &reading);
        }
        // A process that waits by trying to write would wake itself for ever by what it rolls back.
        if may_be_committed {
            wake::signal_waiters(self.store.folder());
        }
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
