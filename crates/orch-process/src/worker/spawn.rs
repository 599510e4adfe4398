//! How a worker comes to run: everything that may be missing is looked for first, so that it can be named.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{ChildStdin, Command, Stdio};

use process_wrap::std::{CommandWrap, ProcessSession};

use super::{WorkerCommand, WorkerInput, WorkerStartFault};

/// A worker that runs.
pub(super) struct SpawnedWorker {
    pub(super) pid: u32,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// Makes the command that is to run as the worker; nothing has happened yet.
pub(super) fn prepare_command(worker: &WorkerCommand<'_>) -> Result<Command, WorkerStartFault> {
    if !worker.folder.is_dir() {
        return Err(WorkerStartFault::NoFolder);
    }
    let (name, arguments) = worker.command.split_first().ok_or(WorkerStartFault::NotFound)?;
    let mut command = Command::new(resolve_program(worker, name)?);
    command.args(arguments).current_dir(worker.folder).stdin(open_stdin(worker.input)?);
    worker.environment.apply_to(&mut command);
    command.env(worker.tag.name, worker.tag.value);
    Ok(command)
}

/// Starts the command as the leader of a session and a group of its own.
pub(super) fn start_worker(command: Command) -> Result<SpawnedWorker, WorkerStartFault> {
    spawn_in_session(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WorkerStartFault::NotFound,
        io::ErrorKind::PermissionDenied => WorkerStartFault::NotExecutable,
        _ => WorkerStartFault::NoProcess(error),
    })
}

/// The program, as a shell with the worker's `PATH` would find it, but never in its folder.
fn resolve_program(worker: &WorkerCommand<'_>, name: &OsStr) -> Result<OsString, WorkerStartFault> {
    if name.as_bytes().contains(&b'/') {
        return Ok(name.to_owned());
    }
    let name = name.to_str().ok_or(WorkerStartFault::NotFound)?;
    worker.environment.find_program(name).map(Into::into).ok_or(WorkerStartFault::NotFound)
}

fn open_stdin(input: WorkerInput<'_>) -> Result<Stdio, WorkerStartFault> {
    Ok(match input {
        WorkerInput::Nothing => Stdio::null(),
        WorkerInput::Bytes(_) => Stdio::piped(),
        WorkerInput::File(path) => File::open(path).map_err(WorkerStartFault::NoInput)?.into(),
    })
}

fn spawn_in_session(mut command: Command) -> io::Result<SpawnedWorker> {
    let (stdout, write) = io::pipe()?;
    command.stdout(write);
    let (stderr, write) = io::pipe()?;
    command.stderr(write);
    for output in [&stdout, &stderr] {
        rustix::io::ioctl_fionbio(output, true)?;
    }
    // The writing ends go with the command, so that only the worker's processes keep the pipes open.
    let mut command = CommandWrap::from(command);
    let mut child = command.wrap(ProcessSession).spawn()?;
    Ok(SpawnedWorker { pid: child.id(), stdin: child.stdin().take(), stdout, stderr })
}
