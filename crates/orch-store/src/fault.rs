//! Faults: the store could not be opened, read or written.

use std::path::PathBuf;

/// Why an operation of the store failed. A failed operation changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No store was found.
    #[error("no store was found from {}", searched.display())]
    NotFound {
        /// The start of the search, or the given path.
        searched: PathBuf,
    },
    /// The store has a newer schema than this program knows.
    #[error("the store has schema {found}; this program knows schemas up to {known}")]
    TooNew {
        /// The store's schema.
        found: i64,
        /// The newest one this program knows.
        known: i64,
    },
    /// Other processes kept the store locked for too long.
    #[error("the store was locked by other processes for {waited_ms} ms")]
    Busy {
        /// The waited time.
        waited_ms: u64,
    },
    /// The store cannot be reached.
    #[error("the store at {place} cannot be reached")]
    Unavailable {
        /// The location.
        place: String,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The store is on a network file system.
    #[error("the store at {place} is on a network file system ({kind})")]
    NetworkFileSystem {
        /// The location.
        place: String,
        /// The file system's name.
        kind: &'static str,
    },
    /// The file is damaged.
    #[error("the store at {place} is damaged")]
    Corrupt {
        /// The location.
        place: String,
        /// The error of the database.
        #[source]
        source: DriverError,
    },
    /// The file is not an orch store.
    #[error("the file at {place} is not an orch store")]
    Foreign {
        /// The location.
        place: String,
    },
    /// The file or its folder is not writable.
    #[error("the store at {place} is not writable")]
    ReadOnly {
        /// The location.
        place: String,
        /// The error of the database.
        #[source]
        source: DriverError,
    },
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull {
        /// The location.
        place: String,
        /// The error of the database.
        #[source]
        source: DriverError,
    },
    /// The kind of store is not supported by this program.
    #[error("stores of the kind {kind} are not supported by this program")]
    NotSupported {
        /// The kind.
        kind: &'static str,
    },
    /// The database rejected a statement: a defect of this program.
    #[error("the database rejected a statement")]
    Database {
        /// The error of the database.
        #[source]
        source: DriverError,
    },
    /// A row has an invalid value.
    #[error("invalid value in the {table} table: {value}")]
    Value {
        /// The table.
        table: &'static str,
        /// The value.
        value: String,
    },
}

/// An error of a database driver.
pub type DriverError = Box<dyn std::error::Error + Send + Sync + 'static>;
