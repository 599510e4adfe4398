//! Folders that are made outside the repository, for worktrees and check trees: as private as the repository.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use crate::error::GitError;
use crate::repository::Repository;

impl Repository {
    /// Creates a folder and its missing parents, which no user can enter who cannot enter the repository.
    pub(crate) fn create_outer_folder(&self, folder: &Path) -> Result<(), GitError> {
        let failed = |error| GitError::io("create", folder)(error);
        let common = self.common_dir();
        let top = if common.ends_with(".git") { common.parent().unwrap_or(common) } else { common };
        let top = fs::metadata(top).map_err(failed)?;
        let new: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        let mode = top.mode() & 0o777 | 0o700;
        fs::DirBuilder::new().recursive(true).mode(mode).create(folder).map_err(failed)?;
        new.into_iter().try_for_each(|made| give_to_owner(made, &top)).map_err(failed)
    }

    /// Gives a new file or folder below the git folder to the owner of the repository if root made it.
    pub(crate) fn give_to_repository_owner(&self, path: &Path) -> std::io::Result<()> {
        give_to_owner(path, &fs::metadata(self.common_dir())?)
    }
}

/// Gives a path to the owner of another one if root made it, so that the owner is not locked out.
fn give_to_owner(path: &Path, other: &fs::Metadata) -> std::io::Result<()> {
    // Only root makes files of root's.
    if other.uid() == 0 || fs::symlink_metadata(path)?.uid() != 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(other.uid()), Some(other.gid()))
}
