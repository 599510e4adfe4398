//! An open worktree: its status, its operation in progress, and commands in it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::list::canonicalize_existing;
use super::survey::{FolderSurvey, read_small_file};
use crate::error::GitError;
use crate::index_entry::KnownIndex;
use crate::limit::STATUS_PATIENCE;
use crate::program::GitCommand;
use crate::reference::{RefLogEntry, parse_reflog, reflog_arguments};
use crate::repository::Repository;
use crate::status::{self, WorktreeStatus};

/// A worktree of a repository.
#[derive(Clone, Debug)]
pub struct Worktree<'r> {
    pub(crate) repository: &'r Repository,
    top: PathBuf,
    git_dir: PathBuf,
    index: OnceLock<KnownIndex>,
}

/// Files in a worktree's git directory that exist while an operation is in progress, and the operation.
const OPERATIONS: [(&str, &str); 7] = [
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry-pick"),
    ("BISECT_LOG", "bisect"),
];

impl Repository {
    /// Opens the worktree with this top.
    ///
    /// # Errors
    /// `NotAWorktree`.
    pub fn open_worktree(&self, top: &Path) -> Result<Worktree<'_>, GitError> {
        let not_a_worktree = || GitError::NotAWorktree(top.to_owned());
        let top = top.canonicalize().map_err(|_| not_a_worktree())?;
        let git_dir = self.find_git_dir(&top).ok_or_else(not_a_worktree)?;
        Ok(Worktree::at_git_dir(self, top, git_dir))
    }

    /// Returns the git directory of a worktree, if the two refer to each other.
    fn find_git_dir(&self, top: &Path) -> Option<PathBuf> {
        if self.top_level() == Some(top) {
            return Some(self.git_dir().to_owned());
        }
        let common = self.common_dir().canonicalize().ok()?;
        let dot_git = top.join(".git");
        if dot_git.is_dir() {
            return (dot_git.canonicalize().ok()? == common).then_some(dot_git);
        }
        let text = read_small_file(&dot_git)?;
        let git_dir = parse_path_file(text.strip_prefix(b"gitdir: ")?);
        let git_dir = top.join(git_dir).canonicalize().ok()?;
        if git_dir == common {
            return Some(git_dir);
        }
        let named_common = parse_path_file(&read_small_file(&git_dir.join("commondir"))?);
        let named_back = parse_path_file(&read_small_file(&git_dir.join("gitdir"))?);
        let is_ours = git_dir.join(named_common).canonicalize().ok()? == common;
        (is_ours && canonicalize_existing(&git_dir.join(named_back)) == dot_git).then_some(git_dir)
    }
}

/// Parses a file of git that contains a path and a line terminator.
pub(crate) fn parse_path_file(text: &[u8]) -> PathBuf {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    PathBuf::from(OsStr::from_bytes(&text[..end]))
}

/// Returns the operation in progress in the worktree of a git folder.
pub(super) fn find_operation(git_dir: &Path) -> Option<&'static str> {
    OPERATIONS.iter().find(|(file, _)| git_dir.join(file).exists()).map(|(_, operation)| *operation)
}

impl<'r> Worktree<'r> {
    /// Returns its top, without symbolic links.
    #[must_use]
    pub fn top_level(&self) -> &Path {
        &self.top
    }

    /// Returns its git directory.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Returns whether it is a linked worktree, and not the main one.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.top.join(".git").is_file()
    }

    /// Reads what is checked out and what is changed.
    ///
    /// # Errors
    /// `WaitsForPipe` if git would wait for ever for a pipe that it takes for one of its files.
    pub fn read_status(&self) -> Result<WorktreeStatus, GitError> {
        self.read_status_under(&[])
    }

    /// Reads what is checked out and what is changed, modes included even if the user configured git to ignore them.
    pub(crate) fn read_status_with_modes(&self) -> Result<WorktreeStatus, GitError> {
        self.read_status_under(&["core.fileMode=true"])
    }

    fn read_status_under(&self, settings: &[&str]) -> Result<WorktreeStatus, GitError> {
        let command = || {
            let command = self.git_command(status::STATUS_COMMAND);
            settings.iter().fold(command, |command, setting| command.with_config(setting))
        };
        match command().with_time_limit(STATUS_PATIENCE).read_parsed(status::parse_status) {
            // In a large worktree it may also take this long.
            Err(GitError::TimedOut(_)) => match FolderSurvey::of_worktree(self.top_level()).blocking_pipe() {
                Some(pipe) => Err(GitError::WaitsForPipe(pipe)),
                None => command().read_parsed(status::parse_status),
            },
            read => read,
        }
    }

    /// Returns the operation in progress, such as a merge with unresolved conflicts.
    #[must_use]
    pub fn operation_in_progress(&self) -> Option<&'static str> {
        find_operation(&self.git_dir)
    }

    /// Rejects a worktree with an operation in progress.
    pub(crate) fn refuse_operation_in_progress(&self) -> Result<(), GitError> {
        match self.operation_in_progress() {
            Some(operation) => Err(GitError::InProgress { path: self.top.clone(), operation }),
            None => Ok(()),
        }
    }

    /// Returns the log of its HEAD, newest first; empty where git keeps none.
    pub fn read_head_log(&self) -> Result<Vec<RefLogEntry>, GitError> {
        let command = self.git_command(reflog_arguments("HEAD"));
        Ok(command.read_optional(parse_reflog)?.unwrap_or_default())
    }

    /// Opens a checkout whose git directory is known.
    pub(crate) fn at_git_dir(repository: &'r Repository, top: PathBuf, git_dir: PathBuf) -> Self {
        Self { repository, top, git_dir, index: OnceLock::new() }
    }

    /// Takes over what is known of the index of a worktree, which was moved here.
    pub(super) fn with_known_index(self, moved: Self) -> Self {
        Self { index: moved.index, ..self }
    }

    pub(crate) fn known_index(&self) -> &OnceLock<KnownIndex> {
        &self.index
    }

    /// Builds a command in it.
    pub(crate) fn git_command<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.repository.worktree_command(&self.git_dir, &self.top, arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_file_loses_only_its_line_terminator() {
        for (text, expected) in
            [(&b"/a b\n"[..], "/a b"), (b"/a\nb\n", "/a\nb"), (b"../..\r\n", "../.."), (b"\n", "")]
        {
            assert_eq!(parse_path_file(text), Path::new(expected));
        }
    }
}
