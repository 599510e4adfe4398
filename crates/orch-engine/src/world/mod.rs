//! The world outside the store: git, processes and disks. Nothing else in the engine touches them.
//!
//! Nothing here decides and nothing here knows of runs, tasks or attempts: it does what it is told,
//! so that doing it again after a crash is harmless, and says what it found.
//! Start at [`git::Repository`] for worktrees, merges and salvage, at [`process::Check`] for commands,
//! and at [`process::Worker`] for what runs long and may leave others behind.

pub mod disk;
pub mod environment;
pub mod git;
pub mod limit;
pub mod process;

use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use environment::Environment;

use git::{Git, GitError, Repository};

/// What a session reaches the world by; git is looked for when it is first needed.
#[derive(Clone, Debug)]
pub struct World {
    environment: Environment,
    git: Arc<OnceLock<Git>>,
}

impl World {
    /// A world whose programs see this environment.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { environment, git: Arc::default() }
    }

    /// What programs see.
    #[must_use]
    pub fn environment(&self) -> &Environment {
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
        let found = Git::find(self.environment.clone())?;
        Ok(self.git.get_or_init(|| found))
    }

    /// The repository that a folder lies in.
    ///
    /// # Errors
    /// As [`World::git`], and `NotARepository`.
    pub fn repository(&self, folder: &Path) -> Result<Repository, GitError> {
        Repository::discover(self.git()?, folder)
    }

    /// A repository that was found before, by the folder that its worktrees share.
    ///
    /// # Errors
    /// As [`World::git`], and `NotARepository`.
    pub fn repository_at(&self, common_dir: &Path) -> Result<Repository, GitError> {
        Repository::at(self.git()?, common_dir)
    }
}
