//! One process from its start to its end, timed from outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use std::io::Read;

use wait4::Wait4;

use crate::BenchResult;

/// What a process that ended took.
pub(crate) struct ProcessUsage {
    /// From just before its start until it was reaped.
    pub(crate) wall: Duration,
    /// On a processor, in user and kernel together.
    pub(crate) cpu: Duration,
    /// The most memory it held, in bytes; never less than this process held when it started it.
    pub(crate) peak: u64,
    /// What it printed.
    pub(crate) stdout: String,
}

/// Where the programs lie that were built together with this one.
#[derive(Clone, Debug)]
pub(crate) struct BuiltPrograms {
    folder: PathBuf,
}

impl BuiltPrograms {
    /// Beside this program.
    pub(crate) fn beside_this() -> BenchResult<Self> {
        let this = std::env::current_exe()?;
        let folder = this.parent().ok_or("this program lies nowhere")?.to_owned();
        let programs = Self { folder };
        for name in ["orch", "inbox", "empty-process"] {
            if !programs.program_path(name).is_file() {
                return Err(format!("{name} is not built; start this by `cargo xtask bench`.").into());
            }
        }
        Ok(programs)
    }

    /// A program's path.
    pub(crate) fn program_path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a program on a store to its end; it is an error when it fails.
    pub(crate) fn run_program(
        &self,
        store: &Path,
        name: &str,
        arguments: &[&str],
    ) -> BenchResult<ProcessUsage> {
        let mut command = Command::new(self.program_path(name));
        command.args(arguments).env_clear().env("ORCH_STORE", store).current_dir(store_folder(store));
        run_command(&mut command)
    }
}

fn store_folder(store: &Path) -> &Path {
    store.parent().unwrap_or(Path::new("."))
}

/// Runs a command to its end; it is an error when it fails.
pub(crate) fn run_command(command: &mut Command) -> BenchResult<ProcessUsage> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut stdout = String::new();
    let begin = Instant::now();
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut stdout)?;
    }
    let ended = child.wait4()?;
    let wall = begin.elapsed();
    if !ended.status.success() {
        return Err(format!("{command:?} ended with {}: {stdout}", ended.status).into());
    }
    let usage = ended.rusage;
    Ok(ProcessUsage { wall, cpu: usage.utime + usage.stime, peak: usage.maxrss, stdout })
}
