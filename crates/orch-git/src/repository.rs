//! A repository: discovering it, and building commands in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use super::config::{self, GitConfig};
use super::error::GitError;
use super::host::HostPrograms;
use super::name::{CommitId, TreeId};
use super::program::{CommandScope, Git, GitCommand, split_nul};

/// A repository with all its worktrees, opened from one of them.
#[derive(Debug)]
pub struct Repository {
    git: Git,
    git_dir: PathBuf,
    common_dir: PathBuf,
    top: Option<PathBuf>,
    config: OnceLock<GitConfig>,
    /// The trees of commits, which never change.
    pub(super) trees: Mutex<BTreeMap<CommitId, TreeId>>,
    /// The prefixes of references whose stale locks may be removed.
    pub(super) managed_refs: Vec<String>,
}

/// What discovery asks `git rev-parse`.
const DISCOVERY_QUERY: [&str; 4] = ["--is-inside-work-tree", "--show-cdup", "--git-dir", "--git-common-dir"];

impl Repository {
    /// Discovers the repository that contains a folder.
    ///
    /// # Errors
    /// `NotARepository`, `NotTrusted`.
    pub fn discover(git: &Git, folder: &Path) -> Result<Self, GitError> {
        let not_found = || GitError::NotARepository(folder.to_owned());
        // Git prints real paths, and relative ones are relative to a real path.
        let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir()).ok_or_else(not_found)?;
        let rev_parse = |query: &[&str]| -> Result<Vec<u8>, GitError> {
            let arguments = ["rev-parse", "--path-format=absolute"].iter().chain(query);
            let output = git.command_in(&CommandScope::Search(&folder), arguments).run_to_output()?;
            if output.exit_code() == Some(0) {
                Ok(output.stdout)
            } else if output.stderr.contains("not a git repository") {
                Err(not_found())
            } else if let Some(folder) = parse_untrusted_folder(&output.stderr) {
                Err(GitError::NotTrusted(folder))
            } else {
                Err(output.into_error())
            }
        };
        let output = rev_parse(&DISCOVERY_QUERY)?;
        let lines: Vec<&[u8]> = output.split(|byte| *byte == b'\n').collect();
        let &[is_inside, cdup, ref paths @ ..] = lines.as_slice() else {
            return Err(GitError::Unreadable("rev-parse".to_owned()));
        };
        let top = (is_inside == b"true").then(|| resolve_cdup(&folder, cdup));
        let (git_dir, common_dir) = match *paths {
            // The usual case takes one command: no path contains a line break.
            [git_dir, common_dir, b""] => (parse_path_line(git_dir), parse_path_line(common_dir)),
            _ => {
                let path = |query| rev_parse(&[query]).map(|line| parse_path_line(&line));
                (path(DISCOVERY_QUERY[2])?, path(DISCOVERY_QUERY[3])?)
            }
        };
        Ok(Self {
            git: git.clone(),
            git_dir,
            common_dir,
            top,
            config: OnceLock::new(),
            trees: Mutex::default(),
            managed_refs: Vec::new(),
        })
    }

    /// Opens a repository that was discovered before, by its common directory.
    ///
    /// Its trust was decided at discovery and is not checked again.
    ///
    /// # Errors
    /// `NotARepository`.
    pub fn open_at(git: &Git, common_dir: &Path) -> Result<Self, GitError> {
        let exists =
            common_dir.join("HEAD").symlink_metadata().is_ok() && common_dir.join("objects").is_dir();
        if !exists {
            return Err(GitError::NotARepository(common_dir.to_owned()));
        }
        let (git_dir, common_dir) = (common_dir.to_owned(), common_dir.to_owned());
        Ok(Self {
            git: git.clone(),
            git_dir,
            common_dir,
            top: None,
            config: OnceLock::new(),
            trees: Mutex::default(),
            managed_refs: Vec::new(),
        })
    }

    /// Returns the directory that all worktrees share.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Returns the git directory of the worktree that the repository was opened from.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Returns the top of the worktree that the repository was opened from; `None` for a bare one or inside `.git`.
    #[must_use]
    pub fn top_level(&self) -> Option<&Path> {
        self.top.as_deref()
    }

    /// Returns the host that the commands run on.
    pub(super) fn host(&self) -> &dyn HostPrograms {
        self.git.host()
    }

    /// Returns the pids of the processes whose working directory is inside a folder.
    pub(super) fn processes_working_in(&self, folder: &Path) -> Vec<u32> {
        self.git.host().processes_working_in(folder)
    }

    /// Builds a command that touches no files of a worktree.
    pub(super) fn git_command<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git.command_in(&CommandScope::Repository(&self.git_dir), arguments)
    }

    /// Builds a command that touches no files, with this git directory.
    pub(super) fn git_dir_command<I>(&self, git_dir: &Path, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git.command_in(&CommandScope::Repository(git_dir), arguments)
    }

    /// Builds a command in a worktree of this repository.
    pub(super) fn worktree_command<I>(&self, git_dir: &Path, top: &Path, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git.command_in(&CommandScope::Worktree { git_dir, top }, arguments)
    }

    /// Builds a command in another repository.
    pub(super) fn command_elsewhere<I>(&self, scope: &CommandScope<'_>, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git.command_in(scope, arguments)
    }

    /// Returns the remote that `git push` would use for a branch, if there is one.
    pub fn push_remote(&self, branch: &str) -> Result<Option<String>, GitError> {
        let command = self.git_command(config::REMOTES_QUERY);
        Ok(command.read_optional(|output| Some(config::push_remote(output, branch)))?.flatten())
    }

    /// Returns the user's configuration, read once.
    pub(super) fn config(&self) -> Result<&GitConfig, GitError> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = GitConfig::read(self.git_command(config::CONFIG_QUERY))?;
        Ok(self.config.get_or_init(|| config))
    }

    /// Returns whether the user has configured a name and an email address for commits.
    pub fn has_identity(&self) -> Result<bool, GitError> {
        Ok(self.config()?.missing_identity_settings().is_empty())
    }

    /// Adds our identity to a command that writes a commit, if the user has configured none.
    pub(super) fn with_identity(&self, command: GitCommand) -> Result<GitCommand, GitError> {
        let settings = self.config()?.missing_identity_settings();
        Ok(settings.iter().fold(command, |command, setting| command.with_config(setting)))
    }

    /// Lets as many processes as there are processors write the files of a checkout, unless the user has decided otherwise.
    ///
    /// Git uses one process by default, and none more for fewer than 100 files (`checkout.thresholdForParallelism`).
    pub(super) fn with_checkout_workers(&self, command: GitCommand) -> Result<GitCommand, GitError> {
        if self.config()?.has_checkout_workers() {
            return Ok(command);
        }
        Ok(command.with_config("checkout.workers=0"))
    }

    /// Returns the excludes file that git uses unless one is configured.
    pub(super) fn user_excludes_file(&self) -> Option<PathBuf> {
        self.git.user_config_file("ignore")
    }

    /// Returns the file with the user's attributes for all repositories, which need not exist; git is asked if a setting names it.
    pub(super) fn user_attributes_file(&self, is_named: bool) -> Result<Option<PathBuf>, GitError> {
        if !is_named {
            return Ok(self.git.user_config_file("attributes"));
        }
        let command = self.git_command(["config", "--null", "--path", "core.attributesFile"]);
        command.read_optional(|output| {
            split_nul(output).next().map(|path| PathBuf::from(OsStr::from_bytes(path)))
        })
    }

    /// Returns whether configuration or attributes outside the tree may convert files at checkout.
    pub(super) fn has_conversions(&self) -> Result<bool, GitError> {
        Ok(self.config()?.has_conversions()
            || self.common_dir.join("info/attributes").exists()
            || self.user_attributes_file(false)?.is_some_and(|path| path.exists()))
    }
}

/// Parses the repository that git refuses to trust from its error message.
fn parse_untrusted_folder(stderr: &str) -> Option<PathBuf> {
    let (_, rest) = stderr.split_once("dubious ownership in repository at '")?;
    let (folder, _) = rest.split_once("'\nTo add an exception")?;
    Some(PathBuf::from(folder))
}

/// Resolves the output of `--show-cdup`, a number of `../`, against a folder.
fn resolve_cdup(folder: &Path, cdup: &[u8]) -> PathBuf {
    let levels = cdup.split(|byte| *byte == b'/').filter(|part| *part == b"..").count();
    folder.ancestors().nth(levels).unwrap_or(folder).to_owned()
}

/// Parses a path that is printed alone on a line and may itself contain line breaks.
fn parse_path_line(line: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(line.strip_suffix(b"\n").unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_is_resolved_from_cdup() {
        for (up, expected) in [(&b""[..], "/a/b/c"), (b"../", "/a/b"), (b"../../", "/a")] {
            assert_eq!(resolve_cdup(Path::new("/a/b/c"), up), Path::new(expected));
        }
    }

    #[test]
    fn dubious_ownership_is_recognised() {
        let stderr = "fatal: detected dubious ownership in repository at '/a b'\nTo add an exception for this directory, call:";
        assert_eq!(parse_untrusted_folder(stderr), Some(PathBuf::from("/a b")));
        assert_eq!(parse_untrusted_folder("fatal: not a git repository"), None);
    }

    #[test]
    fn a_path_keeps_its_own_line_breaks() {
        assert_eq!(parse_path_line(b"/a\nb\n\n"), Path::new("/a\nb\n"));
    }
}
