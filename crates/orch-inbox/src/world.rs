//! The host of a session: the environment of its programs, and git.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, OnceLock};

use orch_git::{
    ExceededLimit, Git, GitError, HostPrograms, LockUse, ProgramLimits, ProgramOutput, READING_COMMANDS,
    Repository,
};
use orch_process::communicate::{CommandLimits, ProgramEnd, communicate};
use orch_process::folder_use::{FolderUse, FolderUseQuery};
use orch_process::{EnvironmentVariables, SecretValues, processes_working_in};

/// The environment of a session's programs, and its git, which is searched on first use.
#[derive(Clone, Debug)]
pub struct HostEnvironment {
    environment: EnvironmentVariables,
    git: Arc<OnceLock<Git>>,
    secrets: Arc<OnceLock<SecretValues>>,
}

impl HostEnvironment {
    /// Creates a host whose programs get this environment.
    #[must_use]
    pub fn new(environment: EnvironmentVariables) -> Self {
        Self { environment, git: Arc::default(), secrets: Arc::default() }
    }

    /// Returns the environment of programs.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentVariables {
        &self.environment
    }

    /// Returns the values of the secret variables of this environment, which nothing that is kept may show.
    #[must_use]
    pub fn secrets(&self) -> &SecretValues {
        self.secrets.get_or_init(|| SecretValues::of_environment(&self.environment))
    }

    /// Returns the installed git.
    ///
    /// # Errors
    /// `NotInstalled`, `TooOld`.
    pub fn git(&self) -> Result<&Git, GitError> {
        if let Some(git) = self.git.get() {
            return Ok(git);
        }
        let git = Git::find_installed(ProcessHost(self.environment.clone()))?;
        Ok(self.git.get_or_init(|| git))
    }

    /// Discovers the repository that contains a folder.
    ///
    /// # Errors
    /// Those of [`HostEnvironment::git`]; `NotARepository`.
    pub fn discover_repository(&self, folder: &Path) -> Result<Repository, GitError> {
        Repository::discover(self.git()?, folder)
    }

    /// Opens a repository that was discovered before, by its common directory.
    ///
    /// # Errors
    /// Those of [`HostEnvironment::git`]; `NotARepository`.
    pub fn open_repository(&self, common_dir: &Path) -> Result<Repository, GitError> {
        Repository::open_at(self.git()?, common_dir)
    }
}

/// Provides the programs and processes of this host to git.
#[derive(Debug)]
struct ProcessHost(EnvironmentVariables);

impl HostPrograms for ProcessHost {
    fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.0.find_program(name)
    }

    fn environment(&self) -> &[(OsString, OsString)] {
        self.0.as_pairs()
    }

    fn communicate(&self, child: Child, input: &[u8], limits: ProgramLimits) -> io::Result<ProgramOutput> {
        let ProgramLimits { stdout_bytes_max, stderr_bytes_max, duration_max: limit } = limits;
        let captured =
            communicate(child, input, CommandLimits { stdout_bytes_max, stderr_bytes_max, limit })?;
        let status = match captured.end {
            ProgramEnd::Status(status) => Ok(status),
            ProgramEnd::OutputExceeded => Err(ExceededLimit::Output),
            ProgramEnd::TimedOut => Err(ExceededLimit::Duration),
        };
        Ok(ProgramOutput { stdout: captured.stdout, stderr: captured.stderr, status })
    }

    fn processes_working_in(&self, folder: &Path) -> Vec<u32> {
        processes_working_in(folder)
    }

    fn find_lock_use(&self, folders: &[PathBuf], lock: &Path) -> LockUse {
        let query = FolderUseQuery { program: "git", readers: &READING_COMMANDS, folders, file: lock };
        match query.find_use() {
            FolderUse::Unused => LockUse::Unused,
            FolderUse::UsedBy(pid) => LockUse::UsedBy(pid),
            FolderUse::Unknown => LockUse::Unknown,
        }
    }
}
