//! What is remembered: the one database behind both programs.

#![expect(unused_variables, reason = "bodies follow")]
#![expect(clippy::todo, reason = "bodies follow")]

pub mod fault;
pub mod location;
pub mod page;

pub use fault::Fault;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file.
    Sqlite(std::path::PathBuf),
    /// A PostgreSQL database.
    Postgres(String),
}
