//! Restoring a salvaged worktree: branch, index, and every file byte for byte.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::capture::{CapturedWorktree, stage_index_lines};
use super::files::{HashMode, WorktreeFiles};
use crate::error::GitError;
use crate::index::{FileMode, GitPath, StoredFile, TemporaryIndex, to_file_path};
use crate::name::{BlobId, CommitId, RefName, TreeId};
use crate::repository::Repository;
use crate::worktree::{CheckoutTarget, Worktree, WorktreeSpec, is_path_available};

/// How many bytes of contents are held in memory at once; git writes larger files itself.
const CONTENTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A restored worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredWorktree {
    /// The path.
    pub path: PathBuf,
    /// The commit that is checked out; `None` on a branch without commits.
    pub commit: Option<CommitId>,
    /// The branch that is checked out; `None` if there was none, or if it has moved or is checked out elsewhere.
    pub branch: Option<RefName>,
}

impl Repository {
    /// Creates a worktree from a salvage; after a crash, repeating the call creates it again.
    ///
    /// # Errors
    /// `NotASalvage`, `PathTaken`.
    pub fn restore_salvage(
        &self,
        salvage: &CommitId,
        path: &Path,
        reason: &str,
    ) -> Result<RestoredWorktree, GitError> {
        let (trailers, captured) = self.read_salvage(salvage)?;
        let lock = self.lock_tree(path)?;
        self.remove_if_incomplete(path)?;
        if !is_path_available(path)? || self.find_registration(path)?.is_some() {
            return Err(GitError::PathTaken(path.to_owned()));
        }
        // On a branch without commits, the commit of the index is checked out until the files are restored.
        let commit = trailers.commit.as_ref().unwrap_or(&trailers.index);
        let (branch, has_created_branch) = self.branch_to_restore(&captured)?;
        self.flush()?;
        let checkout = match &branch {
            Some(branch) if trailers.commit.is_some() => CheckoutTarget::Branch(branch),
            _ => CheckoutTarget::Detached,
        };
        let spec = WorktreeSpec { path, checkout, commit, reason };
        let restored = self.register_worktree(&spec).and_then(|worktree| {
            worktree.checkout_files(commit, &lock)?;
            worktree.restore_contents(&captured, salvage)?;
            if let (None, Some(branch)) = (&trailers.commit, &branch) {
                worktree.git_command(["symbolic-ref", "HEAD", branch.as_str()]).read_stdout()?;
            }
            self.lock_for_use(&spec).map(drop)
        });
        if let Err(error) = restored {
            let _ = self.remove_if_incomplete(path);
            if let (true, Some(branch)) = (has_created_branch, &branch) {
                let _ = self.delete_ref(branch, commit);
            }
            return Err(error);
        }
        Ok(RestoredWorktree { path: path.to_owned(), commit: trailers.commit, branch })
    }

    /// Returns the branch to check out, if possible, and whether it was created again.
    fn branch_to_restore(&self, captured: &CapturedWorktree) -> Result<(Option<RefName>, bool), GitError> {
        let Some(branch) = &captured.branch else { return Ok((None, false)) };
        let at = self.read_ref(branch)?;
        match (&captured.commit, at) {
            (Some(commit), None) => {
                self.create_ref(branch, commit)?;
                Ok((Some(branch.clone()), true))
            }
            (Some(commit), Some(at)) if at == *commit && self.find_worktree_on_branch(branch)?.is_none() => {
                Ok((Some(branch.clone()), false))
            }
            (None, None) => Ok((Some(branch.clone()), false)),
            _ => Ok((None, false)),
        }
    }
}

impl Worktree<'_> {
    /// Turns a checkout of the commit into the salvaged contents.
    fn restore_contents(&self, captured: &CapturedWorktree, salvage: &CommitId) -> Result<(), GitError> {
        let commit = captured.commit.as_ref();
        let has_staged_changes = match commit {
            Some(commit) => self.repository.tree_of_commit(commit)? != captured.index,
            None => false,
        };
        if has_staged_changes {
            self.git_command(["read-tree", "--reset", captured.index.as_str()]).read_stdout()?;
        }
        if let Some(stages) = &captured.stages {
            let lines = stage_index_lines(&self.list_tree_files(stages)?)
                .ok_or_else(|| GitError::NotASalvage(salvage.clone()))?;
            self.git_command(["update-index", "-z", "--index-info"]).with_stdin(lines).read_stdout()?;
        }
        let wanted = self.list_tree_files(&captured.tree)?;
        let changed = self.write_files(&wanted)?;
        self.verify_restored_files(&wanted, &changed)?;
        self.refresh_index()
    }

    /// Lists the files of a tree.
    fn list_tree_files(&self, tree: &TreeId) -> Result<WorktreeFiles, GitError> {
        let index = TemporaryIndex::new(self);
        index.git_command(["read-tree", tree.as_str()]).read_stdout()?;
        Ok(index.read_entries()?.into_iter().map(|entry| (entry.path, entry.content)).collect())
    }

    /// Writes the files that differ, and returns their paths.
    fn write_files(&self, wanted: &WorktreeFiles) -> Result<BTreeSet<GitPath>, GitError> {
        let existing = self.scan_files(HashMode::HashOnly)?.files;
        let mut changed: BTreeSet<GitPath> = BTreeSet::new();
        for path in existing.keys().chain(wanted.keys()) {
            if existing.get(path) != wanted.get(path) {
                changed.insert(path.clone());
            }
        }
        // Existing files are deleted first: a folder may replace a file, or a file a folder.
        for path in
            changed.iter().filter(|path| existing.contains_key(*path) && self.file_metadata(path).is_some())
        {
            self.remove_obstacle(path)?;
        }
        let mut contents: Vec<(&GitPath, &StoredFile)> = Vec::new();
        for path in &changed {
            if let Some(content) = wanted.get(path).filter(|content| content.mode != FileMode::Submodule) {
                contents.push((path, content));
            }
        }
        self.write_contents(&contents)?;
        Ok(changed)
    }

    /// Deletes a file, and the folders that become empty.
    fn remove_obstacle(&self, path: &[u8]) -> Result<(), GitError> {
        let full = self.top_level().join(to_file_path(path));
        let removed =
            if full.is_dir() && !full.is_symlink() { fs::remove_dir(&full) } else { fs::remove_file(&full) };
        removed.map_err(GitError::io("delete", &full))?;
        for folder in full.ancestors().skip(1).take_while(|folder| *folder != self.top_level()) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Reads contents from git in batches and writes them.
    fn write_contents(&self, contents: &[(&GitPath, &StoredFile)]) -> Result<(), GitError> {
        let sizes = self.blob_sizes(contents)?;
        let mut batch: Vec<(&GitPath, &StoredFile)> = Vec::new();
        let mut bytes = 0;
        for ((path, content), size) in contents.iter().zip(sizes) {
            if size > CONTENTS_BYTES_MAX {
                self.write_large(path, content)?;
                continue;
            }
            if bytes + size > CONTENTS_BYTES_MAX {
                self.write_batch(&batch)?;
                (batch, bytes) = (Vec::new(), 0);
            }
            batch.push((*path, *content));
            bytes += size;
        }
        self.write_batch(&batch)
    }

    /// Returns the sizes of blobs.
    fn blob_sizes(&self, contents: &[(&GitPath, &StoredFile)]) -> Result<Vec<u64>, GitError> {
        let command = self.git_command(["cat-file", "--batch-check=%(objectsize)"]);
        command.with_stdin(blob_name_lines(contents)).read_parsed(|output| {
            let lines = std::str::from_utf8(output).ok()?.lines();
            let sizes = lines.map(|line| line.parse().ok()).collect::<Option<Vec<u64>>>()?;
            (sizes.len() == contents.len()).then_some(sizes)
        })
    }

    fn write_batch(&self, batch: &[(&GitPath, &StoredFile)]) -> Result<(), GitError> {
        let unreadable = || GitError::Unreadable("cat-file".to_owned());
        let output =
            self.git_command(["cat-file", "--batch"]).with_stdin(blob_name_lines(batch)).read_stdout()?;
        let mut rest = output.as_slice();
        for (path, content) in batch {
            let (bytes, behind) = split_batch_blob(rest, &content.blob).ok_or_else(unreadable)?;
            self.write_file(path, content.mode, bytes)?;
            rest = behind;
        }
        Ok(())
    }

    /// Lets git write the file itself.
    fn write_large(&self, path: &GitPath, content: &StoredFile) -> Result<(), GitError> {
        if content.mode == FileMode::Symlink {
            return Err(GitError::Unreadable("cat-file".to_owned()));
        }
        let full = self.prepare_file_path(path)?;
        let file = create_file(&full, content.mode).map_err(GitError::io("write", &full))?;
        self.git_command(["cat-file", "blob", content.blob.as_str()]).write_stdout_to(file).map(drop)
    }

    fn write_file(&self, path: &GitPath, mode: FileMode, bytes: &[u8]) -> Result<(), GitError> {
        let full = self.prepare_file_path(path)?;
        let written = if mode == FileMode::Symlink {
            std::os::unix::fs::symlink(OsStr::from_bytes(bytes), &full)
        } else {
            create_file(&full, mode).and_then(|mut file| file.write_all(bytes))
        };
        written.map_err(GitError::io("write", &full))
    }

    /// Creates the folders of a file; rejects a path that leads through a symbolic link.
    fn prepare_file_path(&self, path: &[u8]) -> Result<PathBuf, GitError> {
        let full = self.top_level().join(to_file_path(path));
        let folder = full.parent().unwrap_or(self.top_level());
        DirBuilder::new().recursive(true).create(folder).map_err(GitError::io("create", folder))?;
        let is_inside = folder.canonicalize().is_ok_and(|real| real == folder);
        if is_inside { Ok(full) } else { Err(GitError::NotRestored(full)) }
    }

    /// Verifies the written files by reading them again.
    fn verify_restored_files(
        &self,
        wanted: &WorktreeFiles,
        changed: &BTreeSet<GitPath>,
    ) -> Result<(), GitError> {
        let existing = self.read_files(changed, HashMode::HashOnly)?;
        for path in changed {
            let expected = wanted.get(path).filter(|content| content.mode != FileMode::Submodule);
            if existing.get(path) != expected {
                return Err(GitError::NotRestored(self.top_level().join(to_file_path(path))));
            }
        }
        Ok(())
    }
}

/// Returns the ids of blobs, one per line.
fn blob_name_lines(contents: &[(&GitPath, &StoredFile)]) -> Vec<u8> {
    contents.iter().flat_map(|(_, content)| format!("{}\n", content.blob).into_bytes()).collect()
}

/// Creates a new file with the permissions that the umask allows.
fn create_file(path: &Path, mode: FileMode) -> io::Result<File> {
    let bits = if mode == FileMode::Executable { 0o777 } else { 0o666 };
    let file = OpenOptions::new().write(true).create_new(true).mode(bits).open(path)?;
    if mode == FileMode::Executable && file.metadata()?.permissions().mode() & 0o100 == 0 {
        file.set_permissions(fs::Permissions::from_mode(0o700))?;
    }
    Ok(file)
}

/// Splits the first blob off the output of `git cat-file --batch`: `ID blob SIZE LF CONTENT LF`.
fn split_batch_blob<'a>(output: &'a [u8], blob: &BlobId) -> Option<(&'a [u8], &'a [u8])> {
    let end = output.iter().position(|byte| *byte == b'\n')?;
    let header = std::str::from_utf8(&output[..end]).ok()?;
    let size: usize = header.strip_prefix(blob.as_str())?.strip_prefix(" blob ")?.parse().ok()?;
    let (content, behind) = output[end + 1..].split_at_checked(size)?;
    Some((content, behind.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_split_off_one_by_one() {
        let blob = BlobId::parse(&"a".repeat(40)).unwrap();
        let output = format!("{blob} blob 5\nab\ncd\n{blob} blob 0\n\n");
        let (first, rest) = split_batch_blob(output.as_bytes(), &blob).unwrap();
        let (second, rest) = split_batch_blob(rest, &blob).unwrap();
        assert_eq!((first, second, rest), (&b"ab\ncd"[..], &b""[..], &b""[..]));
        for output in [format!("{blob} missing\n"), format!("{blob} blob 9\nab\n"), String::new()] {
            assert_eq!(split_batch_blob(output.as_bytes(), &blob), None, "{output}");
        }
    }
}
