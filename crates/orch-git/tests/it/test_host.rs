//! The host of the tests: programs run with the process crate.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;

use orch_git::{ExceededLimit, HostPrograms, LockUse, ProgramLimits, ProgramOutput, READING_COMMANDS};
use orch_process::EnvironmentVariables;
use orch_process::communicate::{CommandLimits, ProgramEnd, communicate};
use orch_process::folder_use::{FolderUse, FolderUseQuery};

/// A host whose programs get this environment.
#[derive(Clone, Debug)]
pub(crate) struct TestHost(pub(crate) EnvironmentVariables);

impl HostPrograms for TestHost {
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
        orch_process::processes_working_in(folder)
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
