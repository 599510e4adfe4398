//! The world failed: the store could not be opened, read or written.

use std::path::PathBuf;

/// Why the store could not do its part. None of these changed anything.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no store where one was looked for.
    #[error("no store was found from {}", searched.display())]
    NotFound {
        /// Where the search began, or the path that was named.
        searched: PathBuf,
    },
    /// The store was written by a newer program.
    #[error("the store has schema {found}; this program knows schemas up to {known}")]
    TooNew {
        /// The store's schema.
        found: i64,
        /// The newest one this program knows.
        known: i64,
    },
    /// Others kept the store locked for too long.
    #[error("the store stayed locked by others for {waited_ms} ms")]
    Busy {
        /// How long this program waited.
        waited_ms: u64,
    },
    /// The store cannot be reached.
    #[error("the store at {place} cannot be reached")]
    Unavailable {
        /// Where it should be.
        place: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The store lies on a file system that several hosts share.
    #[error("the store at {place} lies on a network file system ({kind})")]
    NetworkFileSystem {
        /// Where it lies.
        place: String,
        /// The file system's name.
        kind: &'static str,
    },
    /// The file is damaged.
    #[error("the store at {place} is damaged")]
    Corrupt {
        /// Where it lies.
        place: String,
        /// What the database said.
        #[source]
        source: DriverError,
    },
    /// The file is a database, or something else, that is not ours.
    #[error("the file at {place} is not an orch store")]
    Foreign {
        /// Where it lies.
        place: String,
    },
    /// The file or its folder cannot be written.
    #[error("the store at {place} cannot be written")]
    ReadOnly {
        /// Where it lies.
        place: String,
        /// What the database said.
        #[source]
        source: DriverError,
    },
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull {
        /// Where the store lies.
        place: String,
        /// What the database said.
        #[source]
        source: DriverError,
    },
    /// The kind of store is known but not built into this program.
    #[error("stores of the kind {kind} are not supported by this program")]
    NotSupported {
        /// The kind.
        kind: &'static str,
    },
    /// The database refused something that is correct: a defect of this program.
    #[error("the database refused a statement")]
    Database {
        /// What the database said.
        #[source]
        source: DriverError,
    },
    /// A row holds what no row may hold.
    #[error("the {table} table holds a value that is not one of its own: {value}")]
    Value {
        /// Which table.
        table: &'static str,
        /// The value.
        value: String,
    },
}

/// An error of a database driver, whichever it is.
pub type DriverError = Box<dyn std::error::Error + Send + Sync + 'static>;
