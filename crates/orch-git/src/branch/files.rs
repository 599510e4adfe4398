//! Moving the files and the index of a checkout from one commit to another, as `git merge` does for a fast-forward.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::GitError;
use crate::index::{TemporaryIndex, to_file_path};
use crate::lock_file::parse_existing_lock;
use crate::move_obstacle::MoveObstacle;
use crate::name::{CommitId, RefName};
use crate::program::split_nul;
use crate::worktree::{RepositoryLock, Worktree, pause_before_retry};

/// How long to wait for another git command that holds the lock on the index, as editors do all the time.
const INDEX_LOCK_WAIT: Duration = Duration::from_secs(3);

/// What git prints about files with changes that it would overwrite or delete.
const REFUSALS: [&str; 6] = [
    "not uptodate",
    "would be overwritten",
    "would be removed",
    "would lose untracked files",
    "overlaps with",
    "resolve your current index first",
];

/// Whether files are moved, or only whether they could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MoveMode {
    DryRun,
    Write,
}

/// The checkout of a branch, whose files are locked against other orch processes.
#[derive(Debug)]
pub(super) struct LockedCheckout<'a> {
    worktree: &'a Worktree<'a>,
    branch: &'a RefName,
    lock: RepositoryLock,
}

impl<'a> LockedCheckout<'a> {
    /// Waits for other orch processes that write the files.
    pub(super) fn acquire(worktree: &'a Worktree<'a>, branch: &'a RefName) -> Result<Self, GitError> {
        let lock = worktree.repository.lock_tree(worktree.top_level())?;
        Ok(Self { worktree, branch, lock })
    }

    /// Returns an error if the files could not move from one commit to another.
    pub(super) fn check_move(&self, from: &CommitId, to: &CommitId) -> Result<(), GitError> {
        self.refuse_overwriting_untracked(from, to)?;
        self.read_trees(from, to, MoveMode::DryRun)
    }

    /// Moves the files from one commit to another; changes in other files stay.
    ///
    /// Files that are at the new commit already stay too, so that an interrupted move may be repeated.
    pub(super) fn move_files(&self, from: &CommitId, to: &CommitId) -> Result<(), GitError> {
        self.refuse_overwriting_untracked(from, to)?;
        self.read_trees(from, to, MoveMode::Write)
    }

    /// Moves the files back from `to` to `from`, of which any number may have been moved before.
    pub(super) fn undo_move(&self, from: &CommitId, to: &CommitId) -> Result<(), GitError> {
        self.restore_written_files(from, to)?;
        self.read_trees(to, from, MoveMode::Write)
    }

    /// Runs git's merge of the index with two trees.
    fn read_trees(&self, from: &CommitId, to: &CommitId, mode: MoveMode) -> Result<(), GitError> {
        // Otherwise a file that was only touched would count as changed.
        self.run_with_index_lock(&["update-index", "--refresh"], None, &[0, 1])?;
        let mut words = vec!["read-tree", "-m", "-u"];
        if mode == MoveMode::DryRun {
            words.push("-n");
        }
        words.extend([from.as_str(), to.as_str()]);
        match self.run_with_index_lock(&words, None, &[0]) {
            Err(GitError::Failed { stderr, .. })
                if REFUSALS.iter().any(|refusal| stderr.contains(refusal)) =>
            {
                let files = self.obstructing_files(from, to, &stderr)?;
                Err(self.held_by(files))
            }
            other => other,
        }
    }

    /// Runs a command that writes the index; while another one holds the lock, it is tried again.
    fn run_with_index_lock(
        &self,
        words: &[&str],
        input: Option<&[u8]>,
        exit_codes: &[i32],
    ) -> Result<(), GitError> {
        let deadline = Instant::now() + INDEX_LOCK_WAIT;
        loop {
            let command = self.worktree.git_command(words);
            let command = match input {
                Some(input) => command.with_stdin(input),
                None => command.with_lock(self.lock.share_handle()?),
            };
            let output = command.run_to_output()?;
            if output.exit_code().is_some_and(|code| exit_codes.contains(&code)) {
                return Ok(());
            }
            let Some(lock) = parse_existing_lock(&output.stderr) else { return Err(output.into_error()) };
            if Instant::now() >= deadline {
                return Err(GitError::held_by_lock(self.branch, lock));
            }
            pause_before_retry();
        }
    }

    /// Refuses to overwrite untracked files that git ignores, which `git read-tree` would do.
    fn refuse_overwriting_untracked(&self, from: &CommitId, to: &CommitId) -> Result<(), GitError> {
        let words = ["diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=A"];
        let words = words.into_iter().chain([from.as_str(), to.as_str()]);
        let added = self.worktree.repository.git_command(words).read_stdout()?;
        let mut present = Vec::new();
        for path in split_nul(&added) {
            collect_present_files(self.worktree.top_level(), to_file_path(path), &mut present)?;
        }
        if present.is_empty() {
            return Ok(());
        }
        let tracked = self.worktree.git_command(["ls-files", "-z"]).read_stdout()?;
        let tracked: HashSet<&Path> = split_nul(&tracked).map(to_file_path).collect();
        present.retain(|path| !tracked.contains(path.as_path()));
        if present.is_empty() {
            return Ok(());
        }
        present.sort();
        present.dedup();
        Err(self.held_by(present))
    }

    /// Returns the error for files with changes.
    fn held_by(&self, files: Vec<PathBuf>) -> GitError {
        let top = self.worktree.top_level().to_owned();
        GitError::branch_held(self.branch, MoveObstacle::Changed { top, files })
    }

    /// Returns the files with changes that a move would overwrite or delete.
    fn obstructing_files(
        &self,
        from: &CommitId,
        to: &CommitId,
        stderr: &str,
    ) -> Result<Vec<PathBuf>, GitError> {
        let list = |words: &[&str]| -> Result<HashSet<PathBuf>, GitError> {
            let output = self.worktree.git_command(words).read_stdout()?;
            Ok(split_nul(&output).map(|path| to_file_path(path).to_owned()).collect())
        };
        let staged_since =
            |commit: &CommitId| list(&["diff-index", "--cached", "--name-only", "-z", commit.as_str(), "--"]);
        let mut obstructing = list(&["diff-files", "--name-only", "-z"])?;
        obstructing.retain(|path| self.worktree.top_level().join(path).symlink_metadata().is_ok());
        obstructing.extend(staged_since(from)?.intersection(&staged_since(to)?).cloned());
        let untracked = list(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        let changed = self.worktree.repository.changed_paths(from, to)?;
        let mut files: Vec<PathBuf> =
            changed.iter().filter(|path| obstructing.contains(*path)).cloned().collect();
        let takes_place =
            |file: &PathBuf| changed.iter().any(|path| path.starts_with(file) || file.starts_with(path));
        files.extend(untracked.into_iter().filter(takes_place));
        if files.is_empty() {
            // Git knows better, for example about files that it was told to assume unchanged.
            files.extend(stderr.split('\'').nth(1).map(PathBuf::from));
        }
        files.sort();
        Ok(files)
    }

    /// Restores files that an interrupted move has written, but not entered into the index.
    ///
    /// A file counts as written if it has the content of `to`, or the beginning of it, or is missing; nothing is lost
    /// with any of these.
    fn restore_written_files(&self, from: &CommitId, to: &CommitId) -> Result<(), GitError> {
        let at_to = TemporaryIndex::new(self.worktree);
        at_to.git_command(["read-tree", to.as_str()]).read_stdout()?;
        at_to.git_command(["update-index", "-q", "--refresh"]).run_to_output()?;
        let differing = at_to.git_command(["diff-files", "--name-only", "-z"]).read_stdout()?;
        let differing: HashSet<&[u8]> = split_nul(&differing).collect();
        let words = ["diff-index", "--cached", "--name-only", "-z", from.as_str(), "--"];
        let entered = self.worktree.git_command(words).read_stdout()?;
        let entered: HashSet<&[u8]> = split_nul(&entered).collect();
        let words = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", from.as_str(), to.as_str()];
        let changed = self.worktree.repository.git_command(words).read_stdout()?;
        let mut fields = split_nul(&changed);
        let mut restored = Vec::new();
        while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
            let file = self.worktree.top_level().join(to_file_path(path));
            if entered.contains(path) {
                continue;
            }
            let is_missing = file.symlink_metadata().is_err();
            let is_written = |path| Ok(!differing.contains(path) || self.is_partly_written(path, to)?);
            match status {
                b"A" if !is_missing && is_written(path)? => self.delete_written_file(&file)?,
                b"A" => {}
                b"D" if !is_missing => {}
                _ if is_missing || is_written(path)? => {
                    restored.extend_from_slice(path);
                    restored.push(0);
                }
                _ => {}
            }
        }
        if restored.is_empty() {
            return Ok(());
        }
        let words = ["checkout-index", "--force", "--index", "-z", "--stdin"];
        self.run_with_index_lock(&words, Some(&restored), &[0])
    }

    /// Deletes a file that an interrupted move has added, and the folders that are empty then.
    fn delete_written_file(&self, file: &Path) -> Result<(), GitError> {
        fs::remove_file(file).map_err(GitError::io("delete", file))?;
        let folders = file.ancestors().skip(1).take_while(|folder| *folder != self.worktree.top_level());
        for folder in folders {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Returns whether a file holds only the beginning of what it holds at a commit.
    fn is_partly_written(&self, path: &[u8], to: &CommitId) -> Result<bool, GitError> {
        let file = self.worktree.top_level().join(to_file_path(path));
        if !file.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(false);
        }
        let Ok(found) = fs::read(&file) else { return Ok(false) };
        let mut revision = std::ffi::OsString::from(format!("{to}:"));
        revision.push(to_file_path(path));
        let words = ["cat-file".as_ref(), "--filters".as_ref(), revision.as_os_str()];
        Ok(self.worktree.git_command(words).read_stdout()?.starts_with(&found))
    }
}

/// Collects the files that are where a file would be added: at its path, below it, or at one of its folders.
fn collect_present_files(top: &Path, path: &Path, present: &mut Vec<PathBuf>) -> Result<(), GitError> {
    let mut folders: Vec<&Path> =
        path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()).collect();
    folders.reverse();
    for folder in folders {
        match top.join(folder).symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                present.push(folder.to_owned());
                return Ok(());
            }
            Err(_) => return Ok(()),
        }
    }
    collect_files_at(top, path, present)
}

fn collect_files_at(top: &Path, path: &Path, present: &mut Vec<PathBuf>) -> Result<(), GitError> {
    let whole = top.join(path);
    match whole.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {
            for entry in fs::read_dir(&whole).map_err(GitError::io("read", &whole))? {
                let entry = entry.map_err(GitError::io("read", &whole))?;
                collect_files_at(top, &path.join(entry.file_name()), present)?;
            }
        }
        Ok(_) => present.push(path.to_owned()),
        Err(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_at_below_and_above_an_added_path_are_found() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["plain", "folder/one", "folder/deep/two", "above"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        for (path, expected) in [
            ("absent", &[][..]),
            ("absent/deep", &[]),
            ("plain", &["plain"]),
            ("folder", &["folder/deep/two", "folder/one"]),
            ("folder/new", &[]),
            ("above/file", &["above"]),
        ] {
            let mut present = Vec::new();
            collect_present_files(folder.path(), Path::new(path), &mut present).unwrap();
            present.sort();
            assert_eq!(present, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{path}");
        }
    }
}
