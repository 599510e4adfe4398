//! What git needs from the host; the caller of [`Git`](crate::Git) provides it.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// The programs and processes of the host.
pub trait HostPrograms: Debug + Send + Sync {
    /// Finds a program on the search path of the environment.
    fn find_program(&self, name: &str) -> Option<PathBuf>;

    /// Returns the complete environment of programs.
    fn environment(&self) -> &[(OsString, OsString)];

    /// Writes the input to a child, captures its output, and waits for its exit; kills it at a limit.
    fn communicate(&self, child: Child, input: &[u8], limits: ProgramLimits) -> io::Result<ProgramOutput>;

    /// Returns the pids of the processes whose working directory is inside a folder.
    fn processes_working_in(&self, folder: &Path) -> Vec<u32>;

    /// Looks for a git process with its working folder, root folder or open files in one of these folders, and for any process
    /// that has the lock file open.
    fn find_lock_use(&self, folders: &[PathBuf], lock: &Path) -> LockUse;
}

/// Whether processes may use a lock file of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockUse {
    /// None does.
    Unused,
    /// The process with this pid may.
    UsedBy(u32),
    /// Not all processes can be seen.
    Unknown,
}

/// Git's commands that only read and may run for long: editors start them, and they lock nothing.
pub const READING_COMMANDS: [&str; 8] =
    ["blame", "cat-file", "credential-cache--daemon", "daemon", "diff", "fsmonitor--daemon", "log", "show"];

/// Limits of one program run.
#[derive(Clone, Copy, Debug)]
pub struct ProgramLimits {
    /// The most output.
    pub stdout_bytes_max: usize,
    /// How much of stderr is kept; the rest is discarded.
    pub stderr_bytes_max: usize,
    /// The time limit.
    pub duration_max: Duration,
}

/// The result of a program run.
#[derive(Debug)]
pub struct ProgramOutput {
    /// Its output, up to the limit.
    pub stdout: Vec<u8>,
    /// The beginning of its stderr.
    pub stderr: Vec<u8>,
    /// Its exit status, or the limit at which it was killed.
    pub status: Result<ExitStatus, ExceededLimit>,
}

/// The limit that a program exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceededLimit {
    /// It wrote too much.
    Output,
    /// It ran too long.
    Duration,
}
