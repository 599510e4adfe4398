//! The space that a new checkout needs on its disk.

use std::path::Path;

use orch_inbox::Error;
use orch_process::disk;
use orch_process::limit::DISK_FLOOR_BYTES;

/// Refuses to create a worktree on a disk that is nearly full.
pub fn require_disk_space(path: &Path) -> Result<(), Error> {
    let free = disk::free_bytes(path).map_err(|source| Error::File {
        doing: "look at the disk of",
        path: path.to_owned(),
        source,
    })?;
    if free >= DISK_FLOOR_BYTES {
        return Ok(());
    }
    let source = std::io::ErrorKind::StorageFull.into();
    Err(Error::File { doing: "make a worktree with so little room left at", path: path.to_owned(), source })
}
