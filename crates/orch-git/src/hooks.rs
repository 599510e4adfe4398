//! The user's hooks for merges that are made without a worktree; they run only where the caller asks for them.

use std::path::PathBuf;

use super::error::GitError;
use super::program::split_nul;
use super::repository::Repository;

impl Repository {
    /// Runs the hooks that may refuse or edit a merge commit, and returns its message as they leave it.
    ///
    /// These are `pre-merge-commit`, `prepare-commit-msg` and `commit-msg`; they run in the git directory.
    ///
    /// # Errors
    /// `Failed`: a hook refused the commit.
    pub fn run_merge_hooks(&self, message: &str) -> Result<String, GitError> {
        self.run_hook("pre-merge-commit", &[])?;
        let file = self.common_dir().join(format!("orch-merge-message-{}", std::process::id()));
        let path = file.display().to_string();
        std::fs::write(&file, message).map_err(GitError::io("write", &file))?;
        let edited = self
            .run_hook("prepare-commit-msg", &[&path, "merge"])
            .and_then(|()| self.run_hook("commit-msg", &[&path]))
            .and_then(|()| std::fs::read_to_string(&file).map_err(GitError::io("read", &file)));
        let _ = std::fs::remove_file(&file);
        edited
    }

    /// Runs the hook that follows a merge; its exit status does not matter.
    pub fn run_post_merge_hook(&self) -> Result<(), GitError> {
        match self.run_hook("post-merge", &["0"]) {
            Ok(()) | Err(GitError::Failed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a hook of the user, if there is one.
    fn run_hook(&self, name: &str, arguments: &[&str]) -> Result<(), GitError> {
        let words =
            ["hook", "run", "--ignore-missing", name, "--"].into_iter().chain(arguments.iter().copied());
        let folder = self.hooks_folder()?;
        let command = self.git_command(words).with_config(&format!("core.hooksPath={}", folder.display()));
        command.read_stdout().map(drop)
    }

    /// Returns the folder of the user's hooks; our commands override the setting, and theirs is the one before.
    fn hooks_folder(&self) -> Result<PathBuf, GitError> {
        let query = ["config", "--null", "--type=path", "--get-all", "core.hooksPath"];
        let paths = self.git_command(query).read_optional(|output| {
            let paths = split_nul(output).map(|path| PathBuf::from(String::from_utf8_lossy(path).as_ref()));
            Some(paths.collect::<Vec<_>>())
        })?;
        let user = paths.and_then(|mut paths| {
            paths.pop();
            paths.pop()
        });
        let base = self.top_level().unwrap_or(self.common_dir());
        Ok(user.map_or_else(|| self.common_dir().join("hooks"), |path| base.join(path)))
    }
}
