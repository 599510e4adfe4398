//! Where the store is: named, or found from the working folder.

use std::path::Path;

use crate::{Fault, Location};

/// Finds the store that is there: the named one, else the repository's, else the nearest `.orch/orch.db` upwards.
///
/// # Errors
/// There is none, or the named kind is unknown.
pub fn find(named: Option<&str>, folder: &Path) -> Result<Location, Fault> {
    todo!()
}

/// Says where a store is made when there is none: the named place, else the repository's common git folder, else `.orch/` here.
///
/// # Errors
/// The named kind is unknown.
pub fn place(named: Option<&str>, folder: &Path) -> Result<Location, Fault> {
    todo!()
}
