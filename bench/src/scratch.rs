//! Folders for stores that are measured, removed at the end.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::BenchResult;

/// Where stores lie while they are measured.
pub(crate) struct ScratchFolders {
    disk: TempDir,
    memory: Option<TempDir>,
}

/// A file system that lies in memory, where there is one: nothing waits for a disk there.
const MEMORY: &str = "/dev/shm";

impl ScratchFolders {
    /// On the disk that this program was built on, and in memory where that is possible.
    pub(crate) fn new() -> BenchResult<Self> {
        let this = std::env::current_exe()?;
        let folder = this.parent().ok_or("this program lies nowhere")?;
        let disk = tempfile::Builder::new().prefix("bench-").tempdir_in(folder)?;
        let memory = Path::new(MEMORY).is_dir().then(|| tempfile::tempdir_in(MEMORY)).transpose()?;
        Ok(Self { disk, memory })
    }

    /// An empty folder on the disk.
    pub(crate) fn disk_folder(&self, name: &str) -> BenchResult<PathBuf> {
        make_folder(self.disk.path(), name)
    }

    /// A folder for programs to compare with, which stays for the next time.
    pub(crate) fn tools_folder(&self) -> BenchResult<PathBuf> {
        let beside = self.disk.path().parent().ok_or("it lies somewhere")?;
        make_folder(beside, "bench-tools")
    }

    /// An empty folder in memory; on the disk where there is no such file system.
    pub(crate) fn memory_folder(&self, name: &str) -> BenchResult<PathBuf> {
        make_folder(self.memory.as_ref().unwrap_or(&self.disk).path(), name)
    }
}

fn make_folder(folder: &Path, name: &str) -> BenchResult<PathBuf> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
