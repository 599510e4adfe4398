//! Deleting files and folders, where what is missing counts as deleted.

use std::io;
use std::path::Path;

/// Returns whether something is at a path, a broken symbolic link included.
#[must_use]
pub fn is_something_at(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Deletes a file, a symbolic link itself, or a folder with everything in it.
///
/// # Errors
/// Something in it cannot be deleted.
pub fn delete_with_contents(path: &Path) -> io::Result<()> {
    let deleted = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match deleted {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Deletes a folder if it is empty; returns whether it was deleted.
#[must_use]
pub fn delete_empty_folder(path: &Path) -> bool {
    std::fs::remove_dir(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_counts_as_deleted_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (folder, link) = (place.path().join("folder"), place.path().join("link"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        delete_with_contents(&link).unwrap();
        assert!(!is_something_at(&link) && is_something_at(&folder.join("file")));
        assert!(!delete_empty_folder(&folder), "it has a file");
        delete_with_contents(&folder).unwrap();
        delete_with_contents(&folder).unwrap();
        assert!(!is_something_at(&folder));
    }
}
