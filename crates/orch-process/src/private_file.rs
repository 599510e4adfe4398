//! Small files that only their owner may read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Writes a file that only its owner may read, and flushes it; one that exists is replaced as a whole.
pub fn write_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    let written = write_and_flush(temporary, bytes).and_then(|()| std::fs::rename(temporary, path));
    if written.is_err() {
        // What could be written of it takes up space that is needed.
        let _ = std::fs::remove_file(temporary);
    }
    written
}

fn write_and_flush(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder that only its owner may enter; it is removed with its contents when this is dropped.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
}

impl PrivateFolder {
    /// Creates a folder; what a killed process left there is removed first.
    pub fn create(path: &Path) -> io::Result<Self> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        create_folder(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes a file at a relative path in it.
    pub fn write_file(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path.join(path);
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // The next one of this name removes what is left.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A lock between processes, held until it is dropped or the process ends.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct FileLock {
    _file: File,
}

/// Waits for the lock of a file that is created if it does not exist.
pub fn lock_file(path: &Path) -> io::Result<FileLock> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(FileLock { _file: file })
}

/// Reads a file up to a size; `None` when it does not exist.
pub fn read_small_file(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(bytes_max).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists the entries of a folder; none where it does not exist or cannot be read.
#[must_use]
pub fn list_folder(folder: &Path) -> Vec<PathBuf> {
    folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Removes a file; one that does not exist is not an error.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_private_folder_is_empty_at_first_and_removed_at_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("files");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("old"), "x").unwrap();
        let files = PrivateFolder::create(&path).unwrap();
        files.write_file("a/b", b"x").unwrap();
        assert!(!path.join("old").exists());
        for (entry, mode) in [("", 0o700), ("a", 0o700), ("a/b", 0o600)] {
            let found = std::fs::metadata(path.join(entry)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{entry}");
        }
        drop(files);
        assert!(!path.exists());
    }

    #[test]
    fn a_private_file_is_replaced_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        assert_eq!(read_small_file(&path, 9).unwrap(), None);
        for text in ["a long text", "short"] {
            write_private_file(&path, text.as_bytes()).unwrap();
            assert_eq!(read_small_file(&path, 99).unwrap().unwrap(), text.as_bytes());
        }
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_small_file(&path, 2).unwrap().unwrap(), b"sh");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        remove_file(&path).unwrap();
        remove_file(&path).unwrap();
        assert!(write_private_file(&path.join("below"), b"x").is_err());
    }
}
