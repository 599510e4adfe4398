//! What a worktree has checked out and what is changed in it, as `git status --porcelain=v2` prints it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::name::{CommitId, RefName};
use super::program::split_nul;

/// A file that differs from the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyFile {
    /// The path, relative to the top of the worktree.
    pub path: PathBuf,
    /// How it differs.
    pub change: FileChangeKind,
}

/// How a file differs from the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChangeKind {
    /// It is neither tracked nor ignored.
    Untracked,
    /// It was added to the index.
    Added,
    /// Its content or mode changed.
    Modified,
    /// It was deleted.
    Deleted,
    /// A file became a symbolic link, or a symbolic link a file.
    TypeChanged,
    /// It was renamed in the index.
    Renamed,
    /// It has a merge conflict.
    Unmerged,
}

/// What a worktree has checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeHead {
    /// The commit.
    pub commit: CommitId,
    /// The branch; `None` if the head is detached.
    pub branch: Option<RefName>,
}

/// What a worktree has checked out and what is changed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeStatus {
    /// The commit; `None` on a branch without commits.
    pub commit: Option<CommitId>,
    /// The branch; `None` if the head is detached.
    pub branch: Option<RefName>,
    /// The uncommitted changes.
    pub dirty: Vec<DirtyFile>,
}

impl WorktreeStatus {
    /// Returns what is checked out; `None` on a branch without commits.
    #[must_use]
    pub fn head(&self) -> Option<WorktreeHead> {
        Some(WorktreeHead { commit: self.commit.clone()?, branch: self.branch.clone() })
    }

    /// Returns whether there are no uncommitted changes.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.dirty.is_empty()
    }
}

/// The command whose output [`parse_status`] parses.
pub(super) const STATUS_COMMAND: [&str; 7] = [
    "status",
    "--porcelain=v2",
    "-z",
    "--branch",
    "--untracked-files=all",
    "--no-renames",
    "--ignore-submodules=none",
];

/// Parses the output of [`STATUS_COMMAND`].
pub(super) fn parse_status(output: &[u8]) -> Option<WorktreeStatus> {
    let (mut commit, mut branch, mut dirty) = (None, None, Vec::new());
    let mut entries = split_nul(output);
    while let Some(entry) = entries.next() {
        if let Some(header) = entry.strip_prefix(b"# ") {
            let header = std::str::from_utf8(header).ok()?;
            match header.split_once(' ')? {
                ("branch.oid", oid) => commit = CommitId::parse(oid),
                ("branch.head", "(detached)") => {}
                ("branch.head", name) => branch = Some(RefName::from_branch_name(name).ok()?),
                _ => {}
            }
            continue;
        }
        dirty.push(parse_status_entry(entry)?);
        if entry.starts_with(b"2 ") {
            // The path before the rename.
            entries.next()?;
        }
    }
    Some(WorktreeStatus { commit, branch, dirty })
}

/// Parses one file: its kind, for tracked files the states of index and worktree, and the path at the end.
fn parse_status_entry(entry: &[u8]) -> Option<DirtyFile> {
    let (kind, rest) = (entry.first()?, entry.get(2..)?);
    // The number of fields before the path.
    let fields = match kind {
        b'1' => 7,
        b'2' => 8,
        b'u' => 9,
        b'?' => 0,
        _ => return None,
    };
    let mut path = rest;
    for _ in 0..fields {
        let space = path.iter().position(|byte| *byte == b' ')?;
        path = &path[space + 1..];
    }
    let change = match kind {
        b'?' => FileChangeKind::Untracked,
        b'u' => FileChangeKind::Unmerged,
        _ => combine_change(*rest.first()?, *rest.get(1)?)?,
    };
    (!path.is_empty()).then(|| DirtyFile { path: PathBuf::from(OsStr::from_bytes(path)), change })
}

/// Combines the states of index and worktree; the worktree takes precedence.
fn combine_change(index: u8, worktree: u8) -> Option<FileChangeKind> {
    let change = |state| match state {
        b'A' | b'C' => Some(FileChangeKind::Added),
        b'M' => Some(FileChangeKind::Modified),
        b'D' => Some(FileChangeKind::Deleted),
        b'T' => Some(FileChangeKind::TypeChanged),
        b'R' => Some(FileChangeKind::Renamed),
        _ => None,
    };
    match (index, worktree) {
        (b'A', b'M' | b'T') => Some(FileChangeKind::Added),
        (index, b'.') => change(index),
        (_, worktree) => change(worktree),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "b6cb5e47eb32268bc2ef2e5ee590b7644bd2a186";

    fn parse_changes(output: &[u8]) -> Vec<(String, FileChangeKind)> {
        let status = parse_status(output).expect("the output is valid");
        status.dirty.into_iter().map(|file| (file.path.to_string_lossy().into_owned(), file.change)).collect()
    }

    #[test]
    fn a_clean_worktree_has_a_head() {
        let output = format!("# branch.oid {OID}\0# branch.head orch/run/key.1\0");
        let status = parse_status(output.as_bytes()).unwrap();
        let head = status.head().unwrap();
        assert_eq!((head.commit.as_str(), head.branch.unwrap().branch_name()), (OID, Some("orch/run/key.1")));
        assert!(status.is_clean());
        let detached =
            parse_status(format!("# branch.oid {OID}\0# branch.head (detached)\0").as_bytes()).unwrap();
        assert_eq!(detached.head().unwrap().branch, None);
        let unborn = parse_status(b"# branch.oid (initial)\0# branch.head main\0").unwrap();
        assert_eq!((unborn.head(), unborn.branch), (None, Some(RefName::from_branch_name("main").unwrap())));
    }

    #[test]
    fn every_kind_of_change_is_parsed() {
        let blob = "975fbec8256d3e8a3797e7a3611380f27c49f4ac";
        let zero = "0".repeat(40);
        let output = format!(
            "# branch.oid {OID}\0# branch.head main\0# branch.upstream origin/main\0# branch.ab +1 -0\0\
             1 D. N... 100644 000000 000000 {blob} {zero} a\0\
             1 A. N... 000000 120000 120000 {zero} {blob} a link\0\
             1 AM N... 000000 100644 100644 {zero} {blob} added\0\
             1 .M N... 100644 100644 100755 {blob} {blob} two\nlines\0\
             1 .T N... 100644 100644 120000 {blob} {blob} type\0\
             1 MD N... 100644 100644 000000 {blob} {blob} gone\0\
             1 .M S.MU 160000 160000 160000 {blob} {blob} sub\0\
             2 R. N... 100644 100644 100644 {blob} {blob} R100 new\0old\0\
             u UU N... 100644 100644 100644 100644 {blob} {blob} {blob} both\0\
             ? un tracked\0? nested/\0"
        );
        let expected = [
            ("a", FileChangeKind::Deleted),
            ("a link", FileChangeKind::Added),
            ("added", FileChangeKind::Added),
            ("two\nlines", FileChangeKind::Modified),
            ("type", FileChangeKind::TypeChanged),
            ("gone", FileChangeKind::Deleted),
            ("sub", FileChangeKind::Modified),
            ("new", FileChangeKind::Renamed),
            ("both", FileChangeKind::Unmerged),
            ("un tracked", FileChangeKind::Untracked),
            ("nested/", FileChangeKind::Untracked),
        ];
        assert_eq!(
            parse_changes(output.as_bytes()),
            expected.map(|(path, change)| (path.to_owned(), change))
        );
    }

    #[test]
    fn paths_need_not_be_utf8() {
        let status = parse_status(b"? \xff\xfe\0").unwrap();
        assert_eq!(status.dirty[0].path.as_os_str().as_bytes(), b"\xff\xfe");
    }

    #[test]
    fn invalid_output_is_rejected() {
        for output in
            [&b"hello\0"[..], b"1 .M N... 100644\0", b"? \0", b"2 R. N... 1 1 1 a b R100 new\0", b"!\0"]
        {
            assert_eq!(parse_status(output), None, "{}", String::from_utf8_lossy(output));
        }
    }
}
