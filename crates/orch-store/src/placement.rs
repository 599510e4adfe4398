//! The place of a store compared to its recorded one, and what was moved with it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use orch_core::placement::{FileNumber, PlaceOccupant, StorePlace};

/// What a store asks about the machine and its processes.
#[derive(Clone, Copy, Debug)]
pub struct HostProbe {
    /// Returns the machine's identifier.
    pub machine: fn() -> &'static str,
    /// Returns whether the process with this host and identity is alive.
    pub is_alive: fn(host: &str, process: &str) -> bool,
}

impl Default for HostProbe {
    /// A host without a name, where no process is alive.
    fn default() -> Self {
        Self { machine: || "", is_alive: |_, _| false }
    }
}

/// Returns the place of a store's file.
pub(crate) fn place_of(path: &Path, machine: &str) -> StorePlace {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    StorePlace {
        path: path_text(&real),
        file: file_number(path).unwrap_or_default(),
        machine: machine.to_owned(),
    }
}

/// Returns a path as the store records it.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns the device and inode of a file.
pub(crate) fn file_number(path: &Path) -> Option<FileNumber> {
    let found = std::fs::metadata(path).ok()?;
    Some(FileNumber { device: found.dev(), inode: found.ino() })
}

/// Looks at what the recorded place of a store holds now; `read_is_same` reads whether another file holds this store.
pub(crate) fn find_occupant(
    recorded: &StorePlace,
    found: &StorePlace,
    read_is_same: impl FnOnce(&Path) -> Option<bool>,
) -> PlaceOccupant {
    let path = Path::new(&recorded.path);
    match std::fs::metadata(path) {
        Ok(there) if (FileNumber { device: there.dev(), inode: there.ino() }) == found.file => {
            PlaceOccupant::SameFile
        }
        Ok(there) if !there.is_file() => PlaceOccupant::None,
        Ok(_) => match read_is_same(path) {
            Some(true) => PlaceOccupant::OtherFile,
            Some(false) => PlaceOccupant::None,
            None => PlaceOccupant::Unknown,
        },
        Err(error) if is_absent(&error) && is_mounted(path, recorded.file.device) => PlaceOccupant::None,
        Err(_) => PlaceOccupant::Unknown,
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Returns whether the file system on which a file lay is still mounted there, so that its absence means something.
fn is_mounted(path: &Path, device: u64) -> bool {
    let nearest = path.ancestors().skip(1).find_map(|folder| std::fs::metadata(folder).ok());
    nearest.is_some_and(|folder| folder.dev() == device)
}

/// A folder and its path before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedPath {
    /// The old path.
    pub from: PathBuf,
    /// The new path.
    pub to: PathBuf,
}

/// Returns the outermost folder that was moved with a store, and the folder of its worktrees beside it.
pub(crate) fn moved_folders(from: &Path, to: &Path) -> (MovedPath, Option<MovedPath>) {
    let (mut from, mut to) = (from.to_owned(), to.to_owned());
    while from.file_name().is_some() && from.file_name() == to.file_name() && from != to {
        from.pop();
        to.pop();
    }
    let beside = |folder: &Path| {
        let name = folder.file_name()?.to_str()?;
        let name = name.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(name);
        Some(folder.with_file_name(format!("{name}.orch")))
    };
    let worktrees = beside(&from).zip(beside(&to)).map(|(from, to)| MovedPath { from, to });
    (MovedPath { from, to }, worktrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_with_a_store_is_the_outermost_folder_of_another_name() {
        let pair = |from: &str, to: &str| MovedPath { from: from.into(), to: to.into() };
        let moved = |from: &str, to: &str| moved_folders(Path::new(from), Path::new(to));
        assert_eq!(
            moved("/no/repo/.git/orch/orch.db", "/no/else/.git/orch/orch.db"),
            (pair("/no/repo", "/no/else"), Some(pair("/no/repo.orch", "/no/else.orch")))
        );
        assert_eq!(moved("/no/bare.git/orch/orch.db", "/far/bare.git/orch/orch.db").0, pair("/no", "/far"));
        assert_eq!(
            moved("/w/a.git/orch/orch.db", "/w/b.git/orch/orch.db").1,
            Some(pair("/w/a.orch", "/w/b.orch"))
        );
    }

    #[test]
    fn an_absent_file_tells_nothing_where_its_file_system_is_not_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/orch.db");
        let device = file_number(folder.path()).unwrap().device;
        assert!(is_mounted(&path, device));
        assert!(!is_mounted(&path, device + 1));
    }
}
