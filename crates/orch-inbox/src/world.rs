//! What a session reaches git and programs by.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use orch_git::{Git, GitError, Repository};
use orch_process::EnvironmentVariables;

/// What a session reaches the world by; git is looked for when it is first needed.
#[derive(Clone, Debug)]
pub struct HostEnvironment {
    environment: EnvironmentVariables,
    git: Arc<OnceLock<Git>>,
}

impl HostEnvironment {
    /// A world whose programs see this environment.
    #[must_use]
    pub fn new(environment: EnvironmentVariables) -> Self {
        Self { environment, git: Arc::default() }
    }

    /// What programs see.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentVariables {
        &self.environment
    }

    /// The installed git.
    ///
    /// # Errors
    /// `NotInstalled`, or `TooOld`.
    pub fn git(&self) -> Result<&Git, GitError> {
        if let Some(git) = self.git.get() {
            return Ok(git);
        }
        let found = Git::find_installed(self.environment.clone())?;
        Ok(self.git.get_or_init(|| found))
    }

    /// The repository that a folder lies in.
    ///
    /// # Errors
    /// As [`HostEnvironment::git`], and `NotARepository`.
    pub fn discover_repository(&self, folder: &Path) -> Result<Repository, GitError> {
        Repository::discover(self.git()?, folder)
    }

    /// A repository that was found before, by the folder that its worktrees share.
    ///
    /// # Errors
    /// As [`HostEnvironment::git`], and `NotARepository`.
    pub fn open_repository(&self, common_dir: &Path) -> Result<Repository, GitError> {
        Repository::open_at(self.git()?, common_dir)
    }
}
