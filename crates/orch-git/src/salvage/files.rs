//! What a worktree's files are, byte for byte.
//!
//! Git's own `add` stores what its filters make of a file, and a file that it was told not to look at it
//! takes for unchanged. Here every file whose bytes might differ from what the index says is read itself,
//! with no filter in between. A file behind a filter program (`filter=`, as large-file stores use it) that
//! git finds unchanged is the exception: it stays what the index says, so that what the store holds already
//! is not stored again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::config::{self, GitConfig};
use crate::index::{
    FileMode, GitPath, IndexEntry, StoredFile, TemporaryIndex, append_index_entry, parse_index_entries,
    to_file_path,
};
use crate::reference::DURABLE;
use crate::{BlobId, FileChangeKind, GitError, TreeId, UnsupportedContent, Worktree, WorktreeStatus, status};

/// What every path holds.
pub(super) type WorktreeFiles = BTreeMap<GitPath, StoredFile>;

/// Whether contents that git does not have yet are given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashMode {
    WriteObjects,
    HashOnly,
}

/// A worktree as it was looked at.
#[derive(Debug)]
pub(super) struct WorktreeScan {
    pub(super) state: WorktreeStatus,
    pub(super) entries: Vec<IndexEntry>,
    pub(super) files: WorktreeFiles,
}

impl Worktree<'_> {
    /// Reads which files there are and what they hold.
    pub(super) fn scan_files(&self, keep: HashMode) -> Result<WorktreeScan, GitError> {
        // A change of mode is a change, also where git was told to overlook it.
        let state =
            self.read_status_with(self.git_command(status::ARGUMENTS).with_config("core.fileMode=true"))?;
        let entries = self.index_entries()?;
        self.refuse_nested_repositories(&state, &entries)?;
        let mut files: WorktreeFiles = entries
            .iter()
            .filter(|entry| entry.stage == 0)
            .map(|entry| (entry.path.clone(), entry.content.clone()))
            .collect();
        let suspects = self.possibly_changed_paths(&state, &entries)?;
        let read = self.read_files(&suspects, keep)?;
        for path in suspects {
            files.remove(&path);
        }
        files.extend(read);
        Ok(WorktreeScan { state, entries, files })
    }

    /// A repository inside the tree holds commits that a snapshot of its files would lose.
    fn refuse_nested_repositories(
        &self,
        state: &WorktreeStatus,
        entries: &[IndexEntry],
    ) -> Result<(), GitError> {
        let refuse =
            |path: &Path, what| Err(GitError::Unsupported { path: self.top_level().join(path), what });
        for file in &state.dirty {
            let is_folder = file.path.as_os_str().as_encoded_bytes().ends_with(b"/");
            if file.change == FileChangeKind::Untracked && is_folder {
                return refuse(&file.path, UnsupportedContent::NestedRepository);
            }
        }
        for entry in entries.iter().filter(|entry| entry.content.mode == FileMode::Submodule) {
            let path = to_file_path(&entry.path);
            if self.top_level().join(path).join(".git").symlink_metadata().is_ok() {
                return refuse(path, UnsupportedContent::Submodule);
            }
        }
        Ok(())
    }

    /// The paths whose files may hold something else than the index says.
    fn possibly_changed_paths(
        &self,
        state: &WorktreeStatus,
        entries: &[IndexEntry],
    ) -> Result<BTreeSet<GitPath>, GitError> {
        let dirty = state.dirty.iter().map(|file| file.path.as_os_str().as_encoded_bytes().to_vec());
        let mut suspects: BTreeSet<GitPath> = dirty.collect();
        let is_hidden = |entry: &&IndexEntry| {
            // One that git skips is missing on purpose; if it is there all the same, it counts.
            entry.is_assumed || (entry.is_skipped && self.file_metadata(&entry.path).is_some())
        };
        suspects.extend(entries.iter().filter(is_hidden).map(|entry| entry.path.clone()));
        suspects.extend(self.converted_paths(entries)?);
        for entry in entries.iter().filter(|entry| entry.content.mode == FileMode::Submodule) {
            suspects.remove(&entry.path);
        }
        Ok(suspects)
    }

    /// The files between whose bytes and git's there may be a conversion of line ends, encoding or keywords.
    fn converted_paths(&self, entries: &[IndexEntry]) -> Result<Vec<GitPath>, GitError> {
        let is_automatic = GitConfig::read(self.git_command(config::QUESTION))?.converts_line_ends();
        let mut paths = Vec::new();
        for entry in entries {
            paths.extend_from_slice(&entry.path);
            paths.push(0);
        }
        let answer =
            self.git_command(["check-attr", "-z", "--stdin", "--all"]).with_stdin(paths).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        let attributes = parse_attributes(&answer.stdout).ok_or_else(|| answer.into_unreadable())?;
        let is_converted = |entry: &&IndexEntry| {
            let attributes = attributes.get(&entry.path).copied().unwrap_or_default();
            matches!(entry.content.mode, FileMode::Plain | FileMode::Executable)
                && !attributes.is_filtered
                && (attributes.is_converted || (is_automatic && !attributes.is_binary))
        };
        Ok(entries.iter().filter(is_converted).map(|entry| entry.path.clone()).collect())
    }

    /// Reads the files that are there among these paths.
    pub(super) fn read_files(
        &self,
        paths: &BTreeSet<GitPath>,
        keep: HashMode,
    ) -> Result<WorktreeFiles, GitError> {
        let (mut plain, mut links) = (Vec::new(), Vec::new());
        for path in paths {
            // What is not there, and what is neither file nor link, holds nothing that could be kept.
            let Some(found) = self.file_metadata(path) else { continue };
            if found.is_symlink() {
                links.push(path.clone());
            } else if found.is_file() {
                let is_executable = found.permissions().mode() & 0o100 != 0;
                plain
                    .push((path.clone(), if is_executable { FileMode::Executable } else { FileMode::Plain }));
            }
        }
        let mut files = self.hash_files(plain, keep)?;
        files.extend(self.hash_symlinks(&links)?);
        Ok(files)
    }

    /// Looks at a path of the tree; what lies behind a symbolic link does not belong to it.
    pub(super) fn file_metadata(&self, path: &[u8]) -> Option<Metadata> {
        let path = to_file_path(path);
        let mut folder = self.top_level().to_owned();
        for part in path.parent()?.components() {
            folder.push(part);
            if !folder.symlink_metadata().ok()?.is_dir() {
                return None;
            }
        }
        self.top_level().join(path).symlink_metadata().ok()
    }

    /// Names the contents of files as they are.
    fn hash_files(&self, plain: Vec<(GitPath, FileMode)>, keep: HashMode) -> Result<WorktreeFiles, GitError> {
        if plain.is_empty() {
            return Ok(WorktreeFiles::new());
        }
        let mut words = vec!["hash-object", "--no-filters", "--stdin-paths"];
        if keep == HashMode::WriteObjects {
            words.push("-w");
        }
        let input: Vec<u8> = plain.iter().flat_map(|(path, _)| quote_path(path)).collect();
        // What is kept must survive a loss of power: the worktree may be deleted right after.
        let call = self.git_command(words).with_config(DURABLE).with_stdin(input);
        let answer = call.run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        let names =
            String::from_utf8_lossy(&answer.stdout).lines().map(BlobId::parse).collect::<Option<Vec<_>>>();
        match names {
            Some(names) if names.len() == plain.len() => Ok(plain
                .into_iter()
                .zip(names)
                .map(|((path, mode), blob)| (path, StoredFile { mode, blob }))
                .collect()),
            _ => Err(answer.into_unreadable()),
        }
    }

    /// Names where symbolic links lead; no filter touches those, so git can be asked.
    fn hash_symlinks(&self, links: &[GitPath]) -> Result<WorktreeFiles, GitError> {
        if links.is_empty() {
            return Ok(WorktreeFiles::new());
        }
        let index = TemporaryIndex::new(self);
        let input: Vec<u8> = links.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
        self.git_command(["update-index", "--add", "-z", "--stdin"])
            .with_index_file(index.file())
            .with_config("core.symlinks=true")
            .with_config(DURABLE)
            .with_stdin(input)
            .read_stdout()?;
        let output =
            self.git_command(["ls-files", "-s", "-v", "-z"]).with_index_file(index.file()).read_stdout()?;
        let entries = parse_index_entries(&output)
            .ok_or_else(|| GitError::Unreadable { command: "ls-files".to_owned() })?;
        Ok(entries.into_iter().map(|entry| (entry.path, entry.content)).collect())
    }

    /// Writes files as a tree.
    pub(super) fn write_tree_of(&self, files: &WorktreeFiles) -> Result<TreeId, GitError> {
        let index = TemporaryIndex::new(self);
        let mut lines = Vec::new();
        for (path, content) in files {
            append_index_entry(&mut lines, path, content, 0);
        }
        index.add_entries(lines)?;
        index.write_tree()
    }
}

/// What the attributes of a file say about its conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ConversionAttributes {
    /// Line ends, encoding or keywords may be changed.
    is_converted: bool,
    /// Line ends are never changed.
    is_binary: bool,
    /// A program stands in between.
    is_filtered: bool,
}

/// Reads what `git check-attr -z --all` prints: path, attribute and value of each that is set.
fn parse_attributes(output: &[u8]) -> Option<BTreeMap<GitPath, ConversionAttributes>> {
    let mut attributes: BTreeMap<GitPath, ConversionAttributes> = BTreeMap::new();
    let Some(output) = output.strip_suffix(b"\0") else { return output.is_empty().then_some(attributes) };
    let fields: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
    for triple in fields.chunks(3) {
        let &[path, name, value] = triple else { return None };
        let found = attributes.entry(path.to_vec()).or_default();
        match (name, value) {
            (b"text" | b"crlf", b"unset") => found.is_binary = true,
            (b"filter", value) => found.is_filtered = value != b"unset",
            (b"text" | b"crlf" | b"eol" | b"ident" | b"working-tree-encoding", _) => {
                found.is_converted = true;
            }
            _ => {}
        }
    }
    Some(attributes)
}

/// A line of what `git hash-object --stdin-paths` reads, quoted as in C.
fn quote_path(path: &[u8]) -> Vec<u8> {
    let mut line = vec![b'"'];
    for byte in path {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            _ => line.push(*byte),
        }
    }
    line.extend(b"\"\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_fits_on_a_line() {
        assert_eq!(quote_path(b"a b"), b"\"a b\"\n");
        assert_eq!(quote_path(b"a\"\\\n\r\xff"), b"\"a\\\"\\\\\\n\\r\xff\"\n");
    }

    #[test]
    fn attributes_are_read() {
        let output = b"a\0text\0auto\0b.png\0text\0unset\0b.png\0diff\0unset\0c\0filter\0lfs\0c\0text\0unset\0d\0eol\0crlf\0e\0diff\0x\0";
        let attributes = parse_attributes(output).unwrap();
        let of = |path: &[u8]| {
            let found = attributes[path];
            (found.is_converted, found.is_binary, found.is_filtered)
        };
        assert_eq!(of(b"a"), (true, false, false));
        assert_eq!(of(b"b.png"), (false, true, false));
        assert_eq!(of(b"c"), (false, true, true));
        assert_eq!(of(b"d"), (true, false, false));
        assert_eq!(of(b"e"), (false, false, false));
        assert_eq!(parse_attributes(b""), Some(BTreeMap::new()));
        assert_eq!(parse_attributes(b"a\0text\0"), None);
    }
}
