//! One door's connection to the store, with a clock.

use std::path::Path;
use std::sync::Arc;

use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::{QueryPlan, StatementCounts, WriteDurability};
use orch_store::file_system::FileSystem;
use orch_store::table::request;
use orch_store::{Store, StoreLocation, Transaction, TxEnd, migrate};

use crate::clock::{Clock, SystemClock};
use crate::world::HostEnvironment;
use crate::{Error, Receipt, Response, token, wake};
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

    /// The folder that the store and what belongs to it lie in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.store.folder()
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

    /// The folder that the store lies in.
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

    /// Records what was done outside of any transaction, once per request id.
    ///
    /// # Errors
    /// The request id was used with other arguments, or the store failed.
    pub fn record_outcome<T: Clone>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        outcome: T,
    ) -> Result<Response<T>, Error> {
        match receipt {
            None => Ok(Response::Fresh(outcome)),
            Some(_) => self.write_idempotent(receipt, |_, _| Ok(TxEnd::Commit(outcome.clone()))),
        }
    }

    /// Like [`Session::write`], once per request id: a repeated request is answered as the first time.
    pub fn write_idempotent<T>(
        &mut self,
        receipt: Option<&Receipt<'_, T>>,
        mut work: impl FnMut(&mut Transaction<'_>, Time) -> Result<TxEnd<T, Error>, Error>,
    ) -> Result<Response<T>, Error> {
        self.write(WriteDurability::Power, |tx, now| {
            let Some(receipt) = receipt else {
                return Ok(match work(tx, now)? {
                    TxEnd::Commit(outcome) => TxEnd::Commit(Response::Fresh(outcome)),
                    TxEnd::CommitThenFail(error) => TxEnd::CommitThenFail(error),
                    TxEnd::Rollback(outcome) => TxEnd::Rollback(Response::Fresh(outcome)),
                });
            };
            if let PriorRequest::Answered(answer) | PriorRequest::InProgress(answer) =
                find_prior_request(tx, receipt, now)?
            {
                return Ok(TxEnd::Commit(Response::Replayed(answer)));
            }
            Ok(match work(tx, now)? {
                TxEnd::Commit(outcome) => {
                    record_response(tx, receipt, &outcome, now)?;
                    TxEnd::Commit(Response::Fresh(outcome))
                }
                TxEnd::CommitThenFail(error) => TxEnd::CommitThenFail(error),
                TxEnd::Rollback(outcome) => TxEnd::Rollback(Response::Fresh(outcome)),
            })
        })
    }
}

/// What is known of a request from before.
pub enum PriorRequest {
    /// It was never applied.
    Unseen,
    /// It was applied, and answered with this.
    Answered(String),
    /// It was begun, and is about this.
    InProgress(String),
}

/// Looks for the same request; what is too old is forgotten.
pub fn find_prior_request<T>(
    tx: &mut Transaction<'_>,
    receipt: &Receipt<'_, T>,
    now: Time,
) -> Result<PriorRequest, Error> {
    request::delete_expired(tx, now + TimeSpan(-limit::RECEIPT_KEPT.0))?;
    match request::load(tx, &token::digest_request_id(receipt.key))? {
        None => Ok(PriorRequest::Unseen),
        Some(found) if found.fingerprint != receipt.fingerprint => {
            Err(Refusal::RequestConflict { key: receipt.key.to_owned() }.into())
        }
        Some(request::RequestReceipt { answer, subject: Some(subject), .. }) if answer.is_empty() => {
            Ok(PriorRequest::InProgress(subject))
        }
        Some(found) => Ok(PriorRequest::Answered(found.answer)),
    }
}

fn record_response<T>(
    tx: &mut Transaction<'_>,
    receipt: &Receipt<'_, T>,
    outcome: &T,
    now: Time,
) -> Result<(), Error> {
    let row = request::RequestReceipt {
        fingerprint: receipt.fingerprint.to_owned(),
        at: now,
        answer: (receipt.encode)(outcome),
        subject: None,
    };
    Ok(request::insert(tx, &token::digest_request_id(receipt.key), &row)?)
}
