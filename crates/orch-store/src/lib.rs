//! The store: the one database behind both programs.
//!
//! [`store`] runs transactions, [`table`] holds one file per table with its statements,
//! [`driver`] is the interface of a database, and only [`sqlite`], [`migrate`] and [`postgres`] name one.
//! It takes no decisions: it reads and writes the entities of `orch-core`.

pub mod driver;
pub mod fault;
pub mod file_system;
pub mod invariant;
pub mod location;
pub mod migrate;
pub mod page;
pub mod placement;
pub mod postgres;
mod sqlite;
mod sqlite_at_rest;
mod sqlite_backup;
pub mod statement;
pub mod store;
pub mod table;

pub use fault::Fault;
pub use placement::{HostProbe, MovedPath};
pub use sqlite_backup::BackupContents;
pub use statement::Statement;
pub use store::{RestoredStore, Store, StoreOptions, Transaction, TxEnd};

/// The location of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// An SQLite file.
    Sqlite(std::path::PathBuf),
    /// A PostgreSQL database, by its address.
    Postgres(String),
}

impl std::fmt::Display for StoreLocation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres(address) => formatter.write_str(address),
        }
    }
}
