//! Bringing a salvaged worktree back: branch, index, and every file byte for byte.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::files::{HashMode, WorktreeFiles};
use super::{CapturedWorktree, stage_index_lines};
use crate::index::{FileMode, GitPath, StoredFile, parse_index_entries, to_file_path};
use crate::{
    BlobId, CheckoutTarget, CommitId, GitError, RefName, Repository, TreeId, Worktree, WorktreeSpec,
};

/// How many bytes of contents are held in memory at once; a larger file goes straight to the disk.
const CONTENTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredWorktree {
    /// Where.
    pub path: PathBuf,
    /// The commit that is checked out; `None` on a branch without one.
    pub commit: Option<CommitId>,
    /// The branch that is checked out; `None` when it was none, or when it has gone on or is checked out elsewhere.
    pub branch: Option<RefName>,
}

impl Repository {
    /// Makes a worktree of what was salvaged. Cut off in the middle, it is made anew by asking again.
    ///
    /// # Errors
    /// `NotASalvage`, `PathTaken`. Nothing is left behind.
    pub fn restore_salvage(
        &self,
        salvage: &CommitId,
        path: &Path,
        reason: &str,
    ) -> Result<RestoredWorktree, GitError> {
        let (record, captured) = self.read_salvage(salvage)?;
        let held = self.lock_tree(path)?;
        self.remove_if_incomplete(path)?;
        if !crate::worktree::is_path_available(path)? || self.find_registration(path)?.is_some() {
            return Err(GitError::PathTaken { path: path.to_owned() });
        }
        // On a branch without a commit the index stands in for it until the files are there.
        let commit = record.commit.as_ref().unwrap_or(&record.index);
        let (branch, has_made_branch) = self.branch_to_restore(&captured)?;
        let checkout = match &branch {
            Some(branch) if record.commit.is_some() => CheckoutTarget::Branch(branch),
            _ => CheckoutTarget::Detached,
        };
        let addition = WorktreeSpec { path, checkout, commit, reason };
        let restored = self.register_worktree(&addition).and_then(|worktree| {
            worktree.checkout_files(commit, &held)?;
            worktree.restore_contents(&captured, salvage)?;
            if let (None, Some(branch)) = (&record.commit, &branch) {
                worktree.git_command(["symbolic-ref", "HEAD", branch.as_str()]).read_stdout()?;
            }
            self.lock_for_use(&addition).map(drop)
        });
        if let Err(error) = restored {
            let _ = self.remove_if_incomplete(path);
            if let (true, Some(branch)) = (has_made_branch, &branch) {
                let _ = self.delete_ref(branch, commit);
            }
            return Err(error);
        }
        Ok(RestoredWorktree { path: path.to_owned(), commit: record.commit, branch })
    }

    /// The branch to check out, if it can be, and whether it had to be made again.
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
    /// Turns a checkout of the commit into what was there.
    fn restore_contents(&self, captured: &CapturedWorktree, salvage: &CommitId) -> Result<(), GitError> {
        let commit = captured.commit.as_ref();
        let is_staged = match commit {
            Some(commit) => self.repository.tree_of_commit(commit)? != captured.index,
            None => false,
        };
        if is_staged {
            self.git_command(["read-tree", "--reset", captured.index.as_str()]).read_stdout()?;
        }
        if let Some(stages) = &captured.stages {
            let lines = stage_index_lines(&self.list_tree_files(stages)?)
                .ok_or_else(|| GitError::NotASalvage { commit: salvage.clone() })?;
            self.git_command(["update-index", "-z", "--index-info"]).with_stdin(lines).read_stdout()?;
        }
        let wanted = self.list_tree_files(&captured.tree)?;
        let changed = self.write_files(&wanted)?;
        self.verify_restored_files(&wanted, &changed)?;
        self.refresh_index()
    }

    /// Reads which files a tree has.
    fn list_tree_files(&self, tree: &TreeId) -> Result<WorktreeFiles, GitError> {
        let index = crate::index::TemporaryIndex::new(self);
        self.git_command(["read-tree", tree.as_str()]).with_index_file(index.file()).read_stdout()?;
        let output =
            self.git_command(["ls-files", "-s", "-v", "-z"]).with_index_file(index.file()).read_stdout()?;
        let entries = parse_index_entries(&output)
            .ok_or_else(|| GitError::Unreadable { command: "ls-files".to_owned() })?;
        Ok(entries.into_iter().map(|entry| (entry.path, entry.content)).collect())
    }

    /// Writes what is not there as it should be; says which files those were.
    fn write_files(&self, wanted: &WorktreeFiles) -> Result<BTreeSet<GitPath>, GitError> {
        let there = self.scan_files(HashMode::HashOnly)?.files;
        let mut changed: BTreeSet<GitPath> = BTreeSet::new();
        for path in there.keys().chain(wanted.keys()) {
            if there.get(path) != wanted.get(path) {
                changed.insert(path.clone());
            }
        }
        // What is there first makes room: a folder may take the place of a file, or the other way around.
        for path in
            changed.iter().filter(|path| there.contains_key(*path) && self.file_metadata(path).is_some())
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

    /// Deletes a file, and the folders that are empty then.
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

    /// Fetches contents from git, as many at once as fit, and writes them.
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

    /// How large contents are.
    fn blob_sizes(&self, contents: &[(&GitPath, &StoredFile)]) -> Result<Vec<u64>, GitError> {
        let call = self
            .git_command(["cat-file", "--batch-check=%(objectsize)"])
            .with_stdin(blob_name_lines(contents));
        let text = call.read_stdout()?;
        let text = String::from_utf8_lossy(&text);
        let sizes: Option<Vec<u64>> = text.lines().map(|line| line.parse().ok()).collect();
        let all = sizes.filter(|sizes| sizes.len() == contents.len());
        all.ok_or_else(|| GitError::Unreadable { command: "cat-file".to_owned() })
    }

    fn write_batch(&self, batch: &[(&GitPath, &StoredFile)]) -> Result<(), GitError> {
        let unreadable = || GitError::Unreadable { command: "cat-file".to_owned() };
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

    /// Lets git write into the file itself.
    fn write_large(&self, path: &GitPath, content: &StoredFile) -> Result<(), GitError> {
        if content.mode == FileMode::Symlink {
            return Err(GitError::Unreadable { command: "cat-file".to_owned() });
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

    /// Makes the folders that a file lies in; a path that leads through a symbolic link is not followed.
    fn prepare_file_path(&self, path: &[u8]) -> Result<PathBuf, GitError> {
        let full = self.top_level().join(to_file_path(path));
        let folder = full.parent().unwrap_or(self.top_level());
        DirBuilder::new().recursive(true).create(folder).map_err(GitError::io("make the folder", folder))?;
        let is_inside = folder.canonicalize().is_ok_and(|real| real == folder);
        if is_inside { Ok(full) } else { Err(GitError::NotRestored { path: full }) }
    }

    /// Reads what was written, to be sure.
    fn verify_restored_files(
        &self,
        wanted: &WorktreeFiles,
        changed: &BTreeSet<GitPath>,
    ) -> Result<(), GitError> {
        let there = self.read_files(changed, HashMode::HashOnly)?;
        for path in changed {
            let expected = wanted.get(path).filter(|content| content.mode != FileMode::Submodule);
            if there.get(path) != expected {
                return Err(GitError::NotRestored { path: self.top_level().join(to_file_path(path)) });
            }
        }
        Ok(())
    }
}

/// Names of contents, a line each.
fn blob_name_lines(contents: &[(&GitPath, &StoredFile)]) -> Vec<u8> {
    contents.iter().flat_map(|(_, content)| format!("{}\n", content.blob).into_bytes()).collect()
}

/// A file that was not there, executable or not as the user's mask has it.
fn create_file(path: &Path, mode: FileMode) -> io::Result<File> {
    let bits = if mode == FileMode::Executable { 0o777 } else { 0o666 };
    let file = OpenOptions::new().write(true).create_new(true).mode(bits).open(path)?;
    if mode == FileMode::Executable && file.metadata()?.permissions().mode() & 0o100 == 0 {
        file.set_permissions(fs::Permissions::from_mode(0o700))?;
    }
    Ok(file)
}

/// Takes one content off the front of what `git cat-file --batch` prints: `NAME blob SIZE LF CONTENT LF`.
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
    fn contents_are_taken_one_by_one() {
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
