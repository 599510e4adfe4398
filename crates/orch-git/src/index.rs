//! Index files: reading a worktree's own, and writing temporary ones.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::GitError;
use super::index_entry::parse_index_entries;
pub(super) use super::index_entry::{
    FileMode, GitPath, IndexEntry, IndexStamp, KnownIndex, StoredFile, append_index_entry, to_file_path,
};
use super::name::TreeId;
use super::program::GitCommand;
use super::repository::Repository;
use super::worktree::Worktree;

impl Repository {
    /// Returns whether the index of the open worktree has files below a folder of it.
    pub fn has_tracked_files(&self, folder: &Path) -> Result<bool, GitError> {
        let Some(top) = self.top_level() else { return Ok(false) };
        let mut pathspec = std::ffi::OsString::from(":(literal)");
        pathspec.push(folder);
        let arguments = [OsStr::new("ls-files"), OsStr::new("-z"), OsStr::new("--"), &pathspec];
        let command = self.worktree_command(self.git_dir(), top, arguments);
        let output = command.run_to_output()?;
        if output.exit_code() == Some(0) { Ok(!output.stdout.is_empty()) } else { Err(output.into_error()) }
    }
}

/// The command whose output [`parse_index_entries`] parses.
const LIST_INDEX: [&str; 4] = ["ls-files", "-s", "-v", "-z"];

/// A temporary index in the git directory of a worktree, deleted on drop.
#[derive(Debug)]
pub(super) struct TemporaryIndex<'w> {
    worktree: &'w Worktree<'w>,
    file: PathBuf,
}

impl<'w> TemporaryIndex<'w> {
    /// Names a new index, which is empty.
    pub(super) fn new(worktree: &'w Worktree<'w>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = worktree.git_dir().join(format!("orch-index-{}-{number}", std::process::id()));
        Self { worktree, file }
    }

    /// Copies the worktree's own index, with its data about unchanged files.
    pub(super) fn copy_from_worktree(worktree: &'w Worktree<'w>) -> Result<Self, GitError> {
        let index = Self::new(worktree);
        let own = worktree.git_dir().join("index");
        match std::fs::copy(&own, &index.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::io("copy", own)(error))
            }
            _ => Ok(index),
        }
    }

    /// Adds entries from the output of [`append_index_entry`].
    pub(super) fn add_entries(&self, lines: Vec<u8>) -> Result<(), GitError> {
        self.git_command(["update-index", "-z", "--index-info"]).with_stdin(lines).read_stdout().map(drop)
    }

    /// Writes the entries as a tree.
    pub(super) fn write_tree(&self) -> Result<TreeId, GitError> {
        self.git_command(["write-tree"]).read_parsed(TreeId::parse_line)
    }

    /// Reads the entries.
    pub(super) fn read_entries(&self) -> Result<Vec<IndexEntry>, GitError> {
        self.git_command(LIST_INDEX).read_parsed(parse_index_entries)
    }

    /// Builds a command that uses this index.
    pub(super) fn git_command<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.worktree.git_command(arguments).with_index_file(&self.file)
    }
}

impl Drop for TemporaryIndex<'_> {
    fn drop(&mut self) {
        // A file that cannot be deleted is small, and is removed together with the worktree.
        let _ = std::fs::remove_file(&self.file);
        let mut lock = self.file.clone().into_os_string();
        lock.push(".lock");
        let _ = std::fs::remove_file(lock);
    }
}

impl Worktree<'_> {
    /// Reads the entries of the worktree's own index, once as long as the file stays the same.
    pub(super) fn index_entries(&self) -> Result<Vec<IndexEntry>, GitError> {
        let stamp = self.index_stamp();
        let known = stamp.as_ref().and_then(|stamp| self.known_index().get()?.entries_at(stamp));
        if let Some(entries) = known {
            return Ok(entries.to_vec());
        }
        let entries = self.git_command(LIST_INDEX).read_parsed(parse_index_entries)?;
        if let Some(stamp) = stamp {
            let _ = self.known_index().set(KnownIndex::new(stamp, entries.clone()));
        }
        Ok(entries)
    }

    /// Returns the stamp of the worktree's own index; `None` if there is none.
    pub(super) fn index_stamp(&self) -> Option<IndexStamp> {
        let found = self.git_dir().join("index").metadata().ok()?;
        Some(IndexStamp::of_metadata(&found))
    }

    /// Returns whether there are tracked files with attributes.
    pub(super) fn has_attributes_files(&self) -> Result<bool, GitError> {
        let is_attributes = |entry: &IndexEntry| {
            to_file_path(&entry.path).file_name().is_some_and(|name| name == ".gitattributes")
        };
        Ok(self.index_entries()?.iter().any(is_attributes))
    }
}
