//! How much room a disk has left.

use std::io;
use std::path::Path;

/// Says how many bytes may still be written to the file system that a path lies on, or would lie on.
///
/// # Errors
/// The file system does not tell.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(existing)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_to_be_made_counts_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(&folder.path().join("not/there/yet")).unwrap();
        assert!(free > 0, "the tests themselves need room");
        assert!(free_bytes(Path::new("relative/and/not/there")).is_ok());
    }
}
