//! Free disk space.

use std::io;
use std::path::Path;

/// Returns the free space of the file system that contains a path, or would contain it.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(existing)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_path_counts_as_its_nearest_existing_folder() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(&folder.path().join("not/there/yet")).unwrap();
        assert!(free > 0, "the tests need disk space too");
        assert!(free_bytes(Path::new("relative/and/not/there")).is_ok());
    }
}
