//! Reading the files of a worktree byte for byte.
//!
//! `git add` stores the output of its filters, and skips files that are marked as unchanged.
//! Here every file whose bytes may differ from the index is read without filters.
//! The exception is an unchanged file behind a filter program (`filter=`, as large-file stores use it): its index entry
//! is kept, so that contents of the large-file store are not stored again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

use crate::config::{self, GitConfig};
use crate::error::GitError;
use crate::index::{
    FileMode, GitPath, IndexEntry, StoredFile, TemporaryIndex, append_index_entry, to_file_path,
};
use crate::limit::ATTRIBUTE_QUERY_BYTES_MAX;
use crate::name::{BlobId, TreeId};
use crate::reference::DURABLE;
use crate::status::WorktreeStatus;
use crate::worktree::Worktree;

/// Files by path.
pub(super) type WorktreeFiles = BTreeMap<GitPath, StoredFile>;

/// Whether contents are written to the object database or only hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashMode {
    WriteObjects,
    HashOnly,
}

/// The result of scanning a worktree.
#[derive(Debug)]
pub(super) struct WorktreeScan {
    pub(super) status: WorktreeStatus,
    pub(super) entries: Vec<IndexEntry>,
    pub(super) files: WorktreeFiles,
    /// Files whose contents cannot be read.
    pub(super) unreadable: Vec<GitPath>,
    /// Whether the files, the index and the commit are certainly the same.
    pub(super) is_clean: bool,
}

impl Worktree<'_> {
    /// Reads the files and their contents.
    pub(super) fn scan_files(&self, mode: HashMode) -> Result<WorktreeScan, GitError> {
        self.scan_changed_files(self.read_status_with_modes()?, mode)
    }

    /// Reads the files that may differ from the index, and their contents.
    pub(super) fn scan_changed_files(
        &self,
        status: WorktreeStatus,
        mode: HashMode,
    ) -> Result<WorktreeScan, GitError> {
        let entries = self.index_entries()?;
        let mut files: WorktreeFiles = entries
            .iter()
            .filter(|entry| entry.stage == 0)
            .map(|entry| (entry.path.clone(), entry.content.clone()))
            .collect();
        let mut candidates = self.possibly_changed_paths(&status, &entries)?;
        let is_clean = candidates.is_empty() && status.is_clean();
        for path in &candidates {
            files.remove(path);
        }
        let unreadable: Vec<GitPath> = candidates.extract_if(.., |path| !self.is_readable(path)).collect();
        files.extend(self.read_files(&candidates, mode)?);
        Ok(WorktreeScan { status, entries, files, unreadable, is_clean })
    }

    /// Returns whether the content of a file, if it is one, can be read.
    fn is_readable(&self, path: &[u8]) -> bool {
        let is_file = self.file_metadata(path).is_some_and(|found| found.is_file());
        !is_file || access(self.top_level().join(to_file_path(path)), Access::READ_OK).is_ok()
    }

    /// Returns the paths whose files may differ from the index.
    fn possibly_changed_paths(
        &self,
        status: &WorktreeStatus,
        entries: &[IndexEntry],
    ) -> Result<BTreeSet<GitPath>, GitError> {
        let dirty = status.dirty.iter().map(|file| file.path.as_os_str().as_encoded_bytes().to_vec());
        let mut candidates: BTreeSet<GitPath> = dirty.collect();
        let is_hidden = |entry: &&IndexEntry| {
            // A file with `skip-worktree` is normally missing; if it exists, it counts.
            entry.is_assumed || (entry.is_skipped && self.file_metadata(&entry.path).is_some())
        };
        candidates.extend(entries.iter().filter(is_hidden).map(|entry| entry.path.clone()));
        candidates.extend(self.converted_paths(entries)?);
        for entry in entries.iter().filter(|entry| entry.content.mode == FileMode::Submodule) {
            candidates.remove(&entry.path);
        }
        Ok(candidates)
    }

    /// Returns the paths whose files may be converted in line endings, encoding or keywords.
    fn converted_paths(&self, entries: &[IndexEntry]) -> Result<Vec<GitPath>, GitError> {
        let common = self.repository.config()?;
        let own = match common.may_differ_in_worktrees() {
            true => Some(GitConfig::read(self.git_command(config::CONFIG_QUERY))?),
            false => None,
        };
        if own.is_none() && !self.may_have_attributes(entries)? {
            return Ok(Vec::new());
        }
        let is_automatic = own.as_ref().unwrap_or(common).converts_line_endings();
        let attributes = self.read_attributes(entries)?;
        let is_converted = |entry: &&IndexEntry| {
            let attributes = attributes.get(&entry.path).copied().unwrap_or_default();
            matches!(entry.content.mode, FileMode::Plain | FileMode::Executable)
                && !attributes.is_filtered
                && (attributes.is_converted || (is_automatic && !attributes.is_binary))
        };
        Ok(entries.iter().filter(is_converted).map(|entry| entry.path.clone()).collect())
    }

    /// Returns whether there is anything from which git could read attributes of these files.
    fn may_have_attributes(&self, entries: &[IndexEntry]) -> Result<bool, GitError> {
        let has_outside = self.repository.has_conversions()? || Path::new(SYSTEM_ATTRIBUTES).exists();
        if has_outside || self.has_attributes_files()? {
            return Ok(true);
        }
        let folders: BTreeSet<&Path> =
            entries.iter().filter_map(|entry| to_file_path(&entry.path).parent()).collect();
        Ok(folders.iter().any(|folder| {
            let mut parents = folder.ancestors();
            parents.any(|folder| self.top_level().join(folder).join(".gitattributes").exists())
        }))
    }

    /// Reads the conversion attributes of files.
    fn read_attributes(
        &self,
        entries: &[IndexEntry],
    ) -> Result<BTreeMap<GitPath, ConversionAttributes>, GitError> {
        let mut attributes = BTreeMap::new();
        let mut rest = entries.iter().peekable();
        while rest.peek().is_some() {
            let mut paths = Vec::new();
            while let Some(entry) = rest.next_if(|entry| {
                paths.is_empty() || paths.len() + entry.path.len() < ATTRIBUTE_QUERY_BYTES_MAX
            }) {
                paths.extend_from_slice(&entry.path);
                paths.push(0);
            }
            let words = ["check-attr", "-z", "--stdin"].iter().chain(&CONVERSION_ATTRIBUTES);
            let command = self.git_command(words).with_stdin(paths);
            attributes.append(&mut command.read_parsed(parse_attributes)?);
        }
        Ok(attributes)
    }

    /// Reads the files at these paths that exist.
    pub(super) fn read_files(
        &self,
        paths: &BTreeSet<GitPath>,
        mode: HashMode,
    ) -> Result<WorktreeFiles, GitError> {
        let (mut plain, mut links) = (Vec::new(), Vec::new());
        for path in paths {
            // Anything except regular files and symbolic links has no content to keep.
            let Some(found) = self.file_metadata(path) else { continue };
            if found.is_symlink() {
                links.push(path.clone());
            } else if found.is_file() {
                let is_executable = found.permissions().mode() & 0o100 != 0;
                plain
                    .push((path.clone(), if is_executable { FileMode::Executable } else { FileMode::Plain }));
            }
        }
        let mut files = self.hash_files(plain, mode)?;
        files.extend(self.hash_symlinks(&links)?);
        Ok(files)
    }

    /// Reads the metadata of a path; `None` if the path leads through a symbolic link.
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

    /// Hashes the contents of files without filters.
    fn hash_files(&self, plain: Vec<(GitPath, FileMode)>, mode: HashMode) -> Result<WorktreeFiles, GitError> {
        if plain.is_empty() {
            return Ok(WorktreeFiles::new());
        }
        let mut words = vec!["hash-object", "--no-filters", "--stdin-paths"];
        if mode == HashMode::WriteObjects {
            words.push("-w");
        }
        let input: Vec<u8> = plain.iter().flat_map(|(path, _)| quote_path(path)).collect();
        // The objects must survive a power loss: the worktree may be deleted right after.
        let command = self.git_command(words).with_config(DURABLE).with_stdin(input);
        let blobs = command.read_parsed(|output| {
            let lines = output.split_inclusive(|byte| *byte == b'\n');
            let blobs = lines.map(BlobId::parse_line).collect::<Option<Vec<_>>>()?;
            (blobs.len() == plain.len()).then_some(blobs)
        })?;
        let files = plain.into_iter().zip(blobs);
        Ok(files.map(|((path, mode), blob)| (path, StoredFile { mode, blob })).collect())
    }

    /// Hashes the targets of symbolic links; no filter applies to those, so that git can do it.
    fn hash_symlinks(&self, links: &[GitPath]) -> Result<WorktreeFiles, GitError> {
        if links.is_empty() {
            return Ok(WorktreeFiles::new());
        }
        let index = TemporaryIndex::new(self);
        let input: Vec<u8> = links.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
        index
            .git_command(["update-index", "--add", "-z", "--stdin"])
            .with_config("core.symlinks=true")
            .with_config(DURABLE)
            .with_stdin(input)
            .read_stdout()?;
        Ok(index.read_entries()?.into_iter().map(|entry| (entry.path, entry.content)).collect())
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

/// The file with the attributes of all users.
const SYSTEM_ATTRIBUTES: &str = "/etc/gitattributes";

/// The attributes that are asked for: each file may have any number of others.
const CONVERSION_ATTRIBUTES: [&str; 6] = ["text", "crlf", "eol", "ident", "working-tree-encoding", "filter"];

/// The conversion attributes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ConversionAttributes {
    /// Line endings, encoding or keywords may be converted.
    is_converted: bool,
    /// Line endings are never converted.
    is_binary: bool,
    /// A filter program converts the content.
    is_filtered: bool,
}

/// Parses the output of `git check-attr -z`: path, attribute and value.
fn parse_attributes(output: &[u8]) -> Option<BTreeMap<GitPath, ConversionAttributes>> {
    let mut attributes: BTreeMap<GitPath, ConversionAttributes> = BTreeMap::new();
    let Some(output) = output.strip_suffix(b"\0") else { return output.is_empty().then_some(attributes) };
    let fields: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
    for triple in fields.chunks(3) {
        let &[path, name, value] = triple else { return None };
        if value == b"unspecified" {
            continue;
        }
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

/// Formats a line of input of `git hash-object --stdin-paths`, quoted as in C.
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
    fn any_path_can_be_quoted() {
        assert_eq!(quote_path(b"a b"), b"\"a b\"\n");
        assert_eq!(quote_path(b"a\"\\\n\r\xff"), b"\"a\\\"\\\\\\n\\r\xff\"\n");
    }

    #[test]
    fn attributes_are_parsed() {
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
        assert_eq!(parse_attributes(b"a\0text\0unspecified\0"), Some(BTreeMap::new()));
        assert_eq!(parse_attributes(b""), Some(BTreeMap::new()));
        assert_eq!(parse_attributes(b"a\0text\0"), None);
    }
}
