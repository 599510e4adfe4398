//! Index files: reading a worktree's own, and writing temporary ones.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::GitError;
use super::name::{BlobId, TreeId};
use super::program::{GitCommand, split_nul};
use super::repository::Repository;
use super::worktree::Worktree;

/// Git's mode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileMode {
    Plain,
    Executable,
    Symlink,
    /// A submodule.
    Submodule,
}

impl FileMode {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "100644" => Some(Self::Plain),
            "100755" => Some(Self::Executable),
            "120000" => Some(Self::Symlink),
            "160000" => Some(Self::Submodule),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Submodule => "160000",
        }
    }
}

/// A path in git: bytes, relative to the top, with `/`.
pub(super) type GitPath = Vec<u8>;

/// Converts a path of git to one of the file system.
pub(super) fn to_file_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

/// The mode and content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredFile {
    pub(super) mode: FileMode,
    pub(super) blob: BlobId,
}

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

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) path: GitPath,
    pub(super) content: StoredFile,
    /// 0, or in a conflict 1 for the merge base, 2 for ours, 3 for theirs.
    pub(super) stage: u8,
    /// Whether git assumes that the file is unchanged (`assume-unchanged`).
    pub(super) is_assumed: bool,
    /// Whether git leaves the file out of the worktree (`skip-worktree`).
    pub(super) is_skipped: bool,
}

/// The command whose output [`parse_index_entries`] parses.
const LIST_INDEX: [&str; 4] = ["ls-files", "-s", "-v", "-z"];

/// Parses entries of `TAG MODE BLOB STAGE TAB PATH`.
pub(super) fn parse_index_entries(output: &[u8]) -> Option<Vec<IndexEntry>> {
    split_nul(output).map(parse_index_entry).collect()
}

fn parse_index_entry(entry: &[u8]) -> Option<IndexEntry> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let mut fields = std::str::from_utf8(&entry[..tab]).ok()?.split(' ');
    let tag = fields.next()?.chars().next()?;
    let mode = FileMode::parse(fields.next()?)?;
    let blob = BlobId::parse(fields.next()?)?;
    let stage = fields.next()?.parse().ok()?;
    Some(IndexEntry {
        path: entry[tab + 1..].to_vec(),
        content: StoredFile { mode, blob },
        stage,
        is_assumed: tag.is_lowercase(),
        is_skipped: tag.eq_ignore_ascii_case(&'S'),
    })
}

/// Appends an entry to the input of `git update-index -z --index-info`.
pub(super) fn append_index_entry(lines: &mut Vec<u8>, path: &[u8], content: &StoredFile, stage: u8) {
    lines.extend_from_slice(format!("{} {} {stage}\t", content.mode.as_str(), content.blob).as_bytes());
    lines.extend_from_slice(path);
    lines.push(0);
}

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
    /// Reads the entries of the worktree's own index.
    pub(super) fn index_entries(&self) -> Result<Vec<IndexEntry>, GitError> {
        self.git_command(LIST_INDEX).read_parsed(parse_index_entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_parsed() {
        let blob = "0cfbf08886fca9a91cb753ec8734c84fcbe52c9f";
        let output = format!(
            "H 100644 {blob} 0\tn\nl\0H 120000 {blob} 0\ta\tb\0h 100755 {blob} 0\tassumed\0\
             S 100644 {blob} 0\tskipped\0M 100644 {blob} 3\tboth\0H 160000 {blob} 0\tsub\0"
        );
        let entries = parse_index_entries(output.as_bytes()).unwrap();
        let read: Vec<(&[u8], &str, u8)> = entries
            .iter()
            .map(|entry| (entry.path.as_slice(), entry.content.mode.as_str(), entry.stage))
            .collect();
        let expected: [(&[u8], &str, u8); 6] = [
            (b"n\nl", "100644", 0),
            (b"a\tb", "120000", 0),
            (b"assumed", "100755", 0),
            (b"skipped", "100644", 0),
            (b"both", "100644", 3),
            (b"sub", "160000", 0),
        ];
        assert_eq!(read, expected);
        let flags: Vec<(bool, bool)> =
            entries.iter().map(|entry| (entry.is_assumed, entry.is_skipped)).collect();
        let none = (false, false);
        assert_eq!(flags, [none, none, (true, false), (false, true), none, none]);
        let mut lines = Vec::new();
        append_index_entry(&mut lines, b"both", &entries[4].content, 3);
        assert_eq!(lines, format!("100644 {blob} 3\tboth\0").into_bytes());
    }

    #[test]
    fn invalid_output_is_rejected() {
        for output in
            [&b"H 100644 x 0\ta\0"[..], b"H\0", b"H 040000 0cfbf08886fca9a91cb753ec8734c84fcbe52c9f 0\ta\0"]
        {
            assert_eq!(parse_index_entries(output), None, "{}", String::from_utf8_lossy(output));
        }
    }
}
