//! References and heads as git's files name them, read without starting git.
//!
//! Only what stands there in plain sight is read: whatever needs a rule of git's is left to git.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::name::{CommitId, RefName};
use super::repository::Repository;

/// How large a file of packed references may be that is read here.
const PACKED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// References of which each worktree has its own.
const PER_WORKTREE: [&str; 3] = ["refs/bisect/", "refs/worktree/", "refs/rewritten/"];

/// What git's files say about a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlainRef {
    /// It is at this commit.
    Commit(CommitId),
    /// It does not exist.
    Missing,
    /// Only git can tell.
    Unclear,
}

/// What the `HEAD` of a git directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlainHead {
    /// This commit is checked out, on no branch.
    Detached(CommitId),
    /// This branch is checked out, which need not exist.
    Branch(RefName),
    /// There is none: the git directory is being deleted, or was damaged.
    Missing,
    /// Only git can tell.
    Unclear,
}

impl PlainHead {
    /// Reads the `HEAD` of a git directory.
    pub(super) fn read(git_dir: &Path) -> Self {
        let file = git_dir.join("HEAD");
        match file.symlink_metadata() {
            Ok(found) if found.is_file() => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::Missing,
            // An old git makes a symbolic link to the reference.
            Ok(_) | Err(_) => return Self::Unclear,
        }
        let Ok(text) = fs::read_to_string(&file) else { return Self::Unclear };
        match text.strip_prefix("ref:").map(str::trim) {
            Some(name) => RefName::new(name).map_or(Self::Unclear, Self::Branch),
            None => CommitId::parse_line(text.as_bytes()).map_or(Self::Unclear, Self::Detached),
        }
    }
}

impl Repository {
    /// Returns whether each reference has a file of its own or a line in `packed-refs`.
    pub(super) fn keeps_refs_in_files(&self) -> bool {
        !self.common_dir().join("reftable").exists()
    }

    /// Reads a reference.
    pub(super) fn read_plain_ref(&self, reference: &RefName) -> PlainRef {
        let name = reference.as_str();
        if !self.keeps_refs_in_files() || PER_WORKTREE.iter().any(|prefix| name.starts_with(prefix)) {
            return PlainRef::Unclear;
        }
        let file = self.common_dir().join(name);
        match file.symlink_metadata() {
            Ok(found) if found.is_file() => {
                let commit = fs::read(&file).ok().and_then(|text| CommitId::parse_line(&text));
                commit.map_or(PlainRef::Unclear, PlainRef::Commit)
            }
            // A folder of references.
            Ok(found) if found.is_dir() => self.read_packed_ref(name),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                self.read_packed_ref(name)
            }
            Ok(_) | Err(_) => PlainRef::Unclear,
        }
    }

    fn read_packed_ref(&self, name: &str) -> PlainRef {
        let file = self.common_dir().join("packed-refs");
        match file.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return PlainRef::Missing,
            Ok(found) if found.len() <= PACKED_BYTES_MAX => {}
            Ok(_) | Err(_) => return PlainRef::Unclear,
        }
        let Ok(text) = fs::read(&file) else { return PlainRef::Unclear };
        for line in text.split(|byte| *byte == b'\n') {
            let Some(commit) = line.strip_suffix(name.as_bytes()) else { continue };
            let Some(commit) = commit.strip_suffix(b" ") else { continue };
            return CommitId::parse_line(commit).map_or(PlainRef::Unclear, PlainRef::Commit);
        }
        PlainRef::Missing
    }

    /// Returns whether an object has a file of its own; one in a pack has none.
    pub(super) fn has_loose_object(&self, id: &str) -> bool {
        let Some((folder, name)) = id.split_at_checked(2) else { return false };
        let file = self.common_dir().join("objects").join(folder).join(name);
        file.metadata().is_ok_and(|found| found.is_file() && found.len() > 0)
    }
}
