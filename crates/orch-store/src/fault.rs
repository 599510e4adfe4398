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
    /// The only store is in the work tree of a repository, where the author of a commit may have put it.
    #[error("the store {} is in the work tree of a repository, which is not searched for stores", path.display())]
    InWorkTree {
        /// The folder of the store.
        path: PathBuf,
    },
    /// A folder holds a store and the location of another one.
    #[error("{} holds a store and the location of another one", place.display())]
    TwoStores {
        /// The folder.
        place: PathBuf,
    },
    /// The store, or a file that it obeys, may have been written by another user.
    #[error("{} is not trusted: {problem}", path.display())]
    Untrusted {
        /// What is not trusted, as `orch trust` takes it.
        path: PathBuf,
        /// The problem, as a clause.
        problem: String,
    },
    /// The store is, or may be, a copy of another one, so nothing is changed in it.
    #[error("{}", copied_sentence(here, home, *is_certain))]
    Copied {
        /// The place of the store.
        here: PathBuf,
        /// Where it lay when it was last changed.
        home: PathBuf,
        /// Whether that place holds the store as another file.
        is_certain: bool,
    },
    /// What is asked for needs the path under which the run's repository was recorded, which does not exist here.
    #[error("the repository of the run is recorded as {}, which does not exist here; this store was opened as {} and recorded as {}", repository.display(), here.display(), home.display())]
    Elsewhere {
        /// The recorded repository.
        repository: PathBuf,
        /// The path under which the store was opened.
        here: PathBuf,
        /// The path under which it is recorded.
        home: PathBuf,
    },
    /// Live processes of an older version use the store, so it is not migrated.
    #[error("the store at {place} is not upgraded from schema {found} while processes of an older version use it: {}", processes.join(", "))]
    InUse {
        /// The location.
        place: String,
        /// The store's schema.
        found: i64,
        /// The processes.
        processes: Vec<String>,
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

fn copied_sentence(here: &std::path::Path, home: &std::path::Path, is_certain: bool) -> String {
    let (here, home) = (here.display(), home.display());
    if is_certain {
        format!("the store at {here} is a copy of the one at {home}, so it is only read")
    } else {
        format!(
            "the store at {here} was recorded at {home}, and whether it was moved or copied cannot be told, so it is only read"
        )
    }
}
