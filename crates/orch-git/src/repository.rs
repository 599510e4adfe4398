//! A repository, found from a folder inside it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::config::{self, GitConfig};
use super::program::{CommandScope, GitCommand};
use super::{Git, GitError};

/// A repository with all its worktrees, seen from one of them.
#[derive(Debug)]
pub struct Repository {
    git: Git,
    git_dir: PathBuf,
    common_dir: PathBuf,
    top: Option<PathBuf>,
    settings: OnceLock<GitConfig>,
}

impl Repository {
    /// Finds the repository that a folder lies in.
    ///
    /// # Errors
    /// `NotARepository`, or what git says about one that it does not trust.
    pub fn discover(git: &Git, folder: &Path) -> Result<Self, GitError> {
        let not_here = || GitError::NotARepository { folder: folder.to_owned() };
        // Git speaks of real paths, and what it says relative to one must be put to one.
        let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir()).ok_or_else(not_here)?;
        let ask = |what: &[&str]| -> Result<Vec<u8>, GitError> {
            let arguments = ["rev-parse", "--path-format=absolute"].iter().chain(what);
            let answer = git.command_in(&CommandScope::Search(&folder), arguments).run_to_output()?;
            if answer.exit_code() == Some(0) {
                Ok(answer.stdout)
            } else if answer.stderr.contains("not a git repository") {
                Err(not_here())
            } else if let Some(folder) = parse_untrusted_folder(&answer.stderr) {
                Err(GitError::NotTrusted { folder })
            } else {
                Err(answer.into_error())
            }
        };
        const WHAT: [&str; 4] = ["--is-inside-work-tree", "--show-cdup", "--git-dir", "--git-common-dir"];
        let answer = ask(&WHAT)?;
        let lines: Vec<&[u8]> = answer.split(|byte| *byte == b'\n').collect();
        let &[is_inside, up, ref paths @ ..] = lines.as_slice() else {
            return Err(GitError::Unreadable { command: "rev-parse".to_owned() });
        };
        let top = match is_inside {
            b"true" => Some(resolve_cdup(&folder, up)),
            _ => None,
        };
        let (git_dir, common_dir) = match *paths {
            // The usual case, in one command: no path holds a line end.
            [git_dir, common_dir, b""] => (parse_path_line(git_dir), parse_path_line(common_dir)),
            _ => (parse_path_line(&ask(&[WHAT[2]])?), parse_path_line(&ask(&[WHAT[3]])?)),
        };
        Ok(Self { git: git.clone(), git_dir, common_dir, top, settings: OnceLock::new() })
    }

    /// Opens a repository that was found before, by the folder that its worktrees share: nothing is searched, and
    /// whether it is to be trusted was settled when it was found.
    ///
    /// # Errors
    /// `NotARepository`.
    pub fn open_at(git: &Git, common_dir: &Path) -> Result<Self, GitError> {
        let is_there =
            common_dir.join("HEAD").symlink_metadata().is_ok() && common_dir.join("objects").is_dir();
        if !is_there {
            return Err(GitError::NotARepository { folder: common_dir.to_owned() });
        }
        Ok(Self {
            git: git.clone(),
            git_dir: common_dir.to_owned(),
            common_dir: common_dir.to_owned(),
            top: None,
            settings: OnceLock::new(),
        })
    }

    /// The folder that all worktrees share.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Where git keeps what is the own of the worktree that the repository was found from.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The top of the worktree that the repository was found from; `None` in a bare one or inside its `.git`.
    #[must_use]
    pub fn top_level(&self) -> Option<&Path> {
        self.top.as_deref()
    }

    /// Prepares a command that touches no files of a worktree.
    pub(super) fn git_command<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git.command_in(&CommandScope::Repository(&self.git_dir), arguments)
    }

    /// Prepares a command in a worktree of this repository.
    pub(super) fn worktree_command<I>(&self, git_dir: &Path, top: &Path, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git.command_in(&CommandScope::Worktree { git_dir, top }, arguments)
    }

    /// The remote that a branch would be pushed to, where there is one that is meant.
    ///
    /// # Errors
    /// Git cannot tell.
    pub fn push_remote(&self, branch: &str) -> Result<Option<String>, GitError> {
        let answer = self.git_command(config::REMOTES).run_to_output()?;
        match answer.exit_code() {
            Some(0) => Ok(config::push_remote(&answer.stdout, branch)),
            // Git says 1 when there is none.
            Some(1) => Ok(None),
            _ => Err(answer.into_error()),
        }
    }

    /// The settings that the user has made, looked up once.
    pub(super) fn config(&self) -> Result<&GitConfig, GitError> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let settings = GitConfig::read(self.git_command(config::QUESTION))?;
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Whether the user's settings say who commits.
    ///
    /// # Errors
    /// Git cannot tell.
    pub fn has_identity(&self) -> Result<bool, GitError> {
        Ok(self.config()?.missing_identity_settings().is_empty())
    }

    /// Lets a command that writes a commit name us where the user has no name.
    pub(super) fn with_identity(&self, call: GitCommand) -> Result<GitCommand, GitError> {
        Ok(self
            .config()?
            .missing_identity_settings()
            .iter()
            .fold(call, |call, setting| call.with_config(setting)))
    }

    /// Whether the user's settings, or attributes outside of the trees, say that files differ from what git stores.
    pub(super) fn has_conversions(&self) -> Result<bool, GitError> {
        Ok(self.config()?.has_conversions()
            || self.common_dir.join("info/attributes").exists()
            || self.git.user_config_file("attributes").is_some_and(|path| path.exists()))
    }
}

/// Which repository git complains of not to trust, if that is what it says.
fn parse_untrusted_folder(stderr: &str) -> Option<PathBuf> {
    let (_, rest) = stderr.split_once("dubious ownership in repository at '")?;
    let (folder, _) = rest.split_once("'\nTo add an exception")?;
    Some(PathBuf::from(folder))
}

/// Goes up from a folder by what `--show-cdup` says: `../` as often as needed.
fn resolve_cdup(folder: &Path, up: &[u8]) -> PathBuf {
    let levels = up.split(|byte| *byte == b'/').filter(|part| *part == b"..").count();
    folder.ancestors().nth(levels).unwrap_or(folder).to_owned()
}

/// A path as git prints it alone on a line; it may itself hold line ends.
fn parse_path_line(line: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(line.strip_suffix(b"\n").unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_some_levels_up() {
        for (up, expected) in [(&b""[..], "/a/b/c"), (b"../", "/a/b"), (b"../../", "/a")] {
            assert_eq!(resolve_cdup(Path::new("/a/b/c"), up), Path::new(expected));
        }
    }

    #[test]
    fn distrust_is_understood() {
        let said = "fatal: detected dubious ownership in repository at '/a b'\nTo add an exception for this directory, call:";
        assert_eq!(parse_untrusted_folder(said), Some(PathBuf::from("/a b")));
        assert_eq!(parse_untrusted_folder("fatal: not a git repository"), None);
    }

    #[test]
    fn a_path_keeps_its_own_line_ends() {
        assert_eq!(parse_path_line(b"/a\nb\n\n"), Path::new("/a\nb\n"));
    }
}
