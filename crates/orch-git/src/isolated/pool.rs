//! The isolated checkouts in one folder: as many as are used at the same time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::IsolatedCheckout;
use crate::error::GitError;
use crate::limit::ISOLATED_CHECKOUTS_MAX;
use crate::repository::Repository;

/// The prefix of a checkout's folder name; its number follows.
const PREFIX: &str = ".check-";

impl Repository {
    /// Opens a free checkout below a folder: the first with a record for this key, else the first free one, else a new one.
    ///
    /// # Errors
    /// `Busy` if too many are in use.
    pub fn acquire_isolated_checkout(
        &self,
        root: &Path,
        settings: &Path,
        key: &str,
    ) -> Result<IsolatedCheckout<'_>, GitError> {
        let mut other = None;
        for number in 0..ISOLATED_CHECKOUTS_MAX {
            let folder = root.join(format!("{PREFIX}{number}"));
            let exists = folder.exists();
            if !exists && other.is_some() {
                break;
            }
            let Some(checkout) = self.try_isolated_checkout(&folder, settings)? else { continue };
            if !exists || checkout.load_record().is_some_and(|(found, _)| found == key) {
                return Ok(checkout);
            }
            other.get_or_insert(checkout);
        }
        other.ok_or(GitError::Busy)
    }
}

/// Lists the isolated checkouts below a folder.
#[must_use]
pub fn list_isolated_checkouts(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let is_checkout = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.strip_prefix(PREFIX).is_some_and(|number| number.parse::<u32>().is_ok())
    };
    entries.flatten().map(|entry| entry.path()).filter(is_checkout).collect()
}

/// Deletes the settings that [`Repository::save_checkout_settings`] saved, or another folder beside a checkout.
pub fn delete_checkout_settings(folder: &Path) -> Result<(), GitError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::io("delete", folder)(error)),
        _ => Ok(()),
    }
}

/// Removes folders that are empty, each before those above it; one that another process uses stays.
pub fn remove_empty_folders(folders: &[PathBuf]) {
    for folder in folders {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}
