//! Entries of an index file, and what tells whether the file is still the same.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::name::BlobId;
use super::program::split_nul;

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

/// The entries of a worktree's own index, as long as its file is the same.
#[derive(Clone, Debug)]
pub(super) struct KnownIndex {
    stamp: IndexStamp,
    entries: Vec<IndexEntry>,
}

/// What changes whenever git writes an index, which it always does into a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexStamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl KnownIndex {
    /// Returns the entries if the file still has this stamp.
    pub(super) fn entries_at(&self, stamp: &IndexStamp) -> Option<&[IndexEntry]> {
        (self.stamp == *stamp).then_some(self.entries.as_slice())
    }

    /// Remembers entries that were read when or after the file had this stamp.
    pub(super) fn new(stamp: IndexStamp, entries: Vec<IndexEntry>) -> Self {
        Self { stamp, entries }
    }
}

impl IndexStamp {
    /// Returns the stamp of an index file.
    pub(super) fn of_metadata(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
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
