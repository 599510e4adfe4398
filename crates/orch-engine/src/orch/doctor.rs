//! `orch doctor`: is the store sound?

use crate::{Error, Session};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All is well.
    Ok,
    /// Worth knowing.
    Warning,
    /// Something is wrong.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A short stable name: `sqlite`, `schema`, `integrity`, `file_system`, `wal`, `permissions`, or an invariant's name.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// A full sentence.
    pub message: String,
}

/// Looks at everything; the order is fixed.
///
/// # Errors
/// The store failed.
pub fn doctor(session: &mut Session) -> Result<Vec<Finding>, Error> {
    todo!("next")
}
