//! The exceptions of `orch trust`: stores and files that the user trusts although another user could have written them.
//!
//! They are recorded in the user's settings, a line each: a store by its id and path, a file by its digest and path.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::ownership::{FileOwner, OwnershipProblem};
use sha2::{Digest as _, Sha256};

/// The name of the file of exceptions in the user's settings.
const FILE: &str = "trusted";

/// What the user trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedKind {
    /// A store, as long as it has the recorded id.
    Store,
    /// A file, as long as it has the recorded digest.
    File,
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedPath {
    /// What it is.
    pub kind: TrustedKind,
    /// The real path.
    pub path: PathBuf,
    /// The store's id or the file's digest; of a store that does not exist yet, `-`.
    pub mark: String,
}

/// The exceptions of a user, read when they matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustRecord {
    file: Option<PathBuf>,
}

/// The mark of a store that does not exist yet.
pub const NEW_STORE: &str = "-";

impl TrustRecord {
    /// Returns the record in the folder of the user's settings.
    #[must_use]
    pub fn new(user_dir: Option<&Path>) -> Self {
        Self { file: user_dir.map(|folder| folder.join(FILE)) }
    }

    /// Lists the exceptions; none where the record itself could have been written by another user.
    #[must_use]
    pub fn list(&self) -> Vec<TrustedPath> {
        let Some(file) = &self.file else { return Vec::new() };
        let folder = file.parent().unwrap_or(file);
        if FileOwner::current().check_below(folder, file).is_err() {
            return Vec::new();
        }
        fs::read_to_string(file).unwrap_or_default().lines().filter_map(parse_line).collect()
    }

    /// Returns the recorded mark of a path.
    #[must_use]
    pub fn find(&self, kind: TrustedKind, path: &Path) -> Option<String> {
        let found = self.list().into_iter().find(|entry| entry.kind == kind && entry.path == path);
        found.map(|entry| entry.mark)
    }

    /// Adds or replaces an exception.
    ///
    /// # Errors
    /// There is no folder for settings, the path has a line break, or the record cannot be written.
    pub fn add(&self, entry: TrustedPath) -> std::io::Result<()> {
        if entry.path.to_str().is_none_or(|path| path.contains('\n')) {
            let problem = "the path is not UTF-8 or has a line break";
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, problem));
        }
        let mut entries = self.list();
        entries.retain(|other| other.path != entry.path);
        entries.push(entry);
        self.save(&entries)
    }

    /// Removes the exception of a path; returns whether there was one.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn remove(&self, path: &Path) -> std::io::Result<bool> {
        let mut entries = self.list();
        let before = entries.len();
        entries.retain(|entry| entry.path != path);
        let removed = entries.len() < before;
        if removed {
            self.save(&entries)?;
        }
        Ok(removed)
    }

    fn save(&self, entries: &[TrustedPath]) -> std::io::Result<()> {
        let file = self.file.as_ref().ok_or_else(|| {
            let problem = "neither XDG_CONFIG_HOME nor HOME is set";
            std::io::Error::new(std::io::ErrorKind::NotFound, problem)
        })?;
        let folder = file.parent().unwrap_or(file);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut text = String::new();
        for entry in entries {
            let kind = match entry.kind {
                TrustedKind::Store => "store",
                TrustedKind::File => "file",
            };
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{kind} {} {}", entry.mark, entry.path.display());
        }
        let new = file.with_extension(format!("new-{}", std::process::id()));
        let mut target =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        target.write_all(text.as_bytes())?;
        target.sync_all()?;
        fs::rename(&new, file)
    }

    /// Checks that a file that defines commands or prompts is trusted.
    ///
    /// # Errors
    /// Another user could have written it, and it is not recorded with this content.
    pub fn check_file(&self, base: &Path, path: &Path, bytes: &[u8]) -> Result<(), OwnershipProblem> {
        let Err(problem) = FileOwner::current().check_below(base, path) else { return Ok(()) };
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_recorded = self.find(TrustedKind::File, &real).is_some_and(|mark| mark == digest_file(bytes));
        if is_recorded { Ok(()) } else { Err(problem) }
    }
}

/// Returns the digest of a file's content.
#[must_use]
pub fn digest_file(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the digest of the content of a file that may be large.
///
/// # Errors
/// It cannot be read.
pub fn digest_large_file(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hasher.update(&part[..length]),
        }
    }
}

/// Reads a file to be trusted.
///
/// # Errors
/// It cannot be read.
pub fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    fs::read(path)
}

fn parse_line(line: &str) -> Option<TrustedPath> {
    let mut parts = line.splitn(3, ' ');
    let kind = match parts.next()? {
        "store" => TrustedKind::Store,
        "file" => TrustedKind::File,
        _ => return None,
    };
    Some(TrustedPath { kind, mark: parts.next()?.to_owned(), path: PathBuf::from(parts.next()?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn exceptions_are_recorded_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let record = TrustRecord::new(Some(&folder.path().join("orch")));
        assert!(record.list().is_empty());
        let entry = |mark: &str| TrustedPath {
            kind: TrustedKind::Store,
            path: PathBuf::from("/a b/orch.db"),
            mark: mark.to_owned(),
        };
        record.add(entry(NEW_STORE)).unwrap();
        record.add(entry("s-1")).unwrap();
        assert_eq!(record.list(), [entry("s-1")]);
        assert_eq!(record.find(TrustedKind::File, Path::new("/a b/orch.db")), None);
        assert!(record.remove(Path::new("/a b/orch.db")).unwrap());
        assert!(!record.remove(Path::new("/a b/orch.db")).unwrap());
    }

    #[test]
    fn a_recorded_file_is_trusted_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().canonicalize().unwrap().join("orch.toml");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let user = tempfile::tempdir().unwrap();
        let record = TrustRecord::new(Some(user.path()));
        assert!(record.check_file(folder.path(), &file, b"x").is_err());
        let (kind, mark) = (TrustedKind::File, digest_file(b"x"));
        record.add(TrustedPath { kind, path: file.clone(), mark }).unwrap();
        assert!(record.check_file(folder.path(), &file, b"x").is_ok());
        assert!(record.check_file(folder.path(), &file, b"y").is_err(), "it changed");
    }
}
