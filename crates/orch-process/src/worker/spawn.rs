//! Starting a worker: what may be missing is checked first, so that the error can name it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{ChildStdin, Command, Stdio};

use process_wrap::std::{CommandWrap, ProcessSession};

use super::command::{WorkerCommand, WorkerInput, WorkerStartFault};

/// A started worker.
pub(super) struct SpawnedWorker {
    pub(super) pid: u32,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// Builds the command of a worker.
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

/// Starts the command as the leader of a new session and process group.
pub(super) fn start_worker(command: Command) -> Result<SpawnedWorker, WorkerStartFault> {
    spawn_in_session(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WorkerStartFault::NotFound,
        io::ErrorKind::PermissionDenied => WorkerStartFault::NotExecutable,
        _ => WorkerStartFault::NoProcess(error),
    })
}

/// Resolves the program as a shell with the worker's `PATH` would, but never in the worker's folder.
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
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    // The command owns the writers and is dropped here, so that only the worker's processes keep the pipes open.
    command.stdout(stdout_writer).stderr(stderr_writer);
    let mut command = CommandWrap::from(command);
    let mut child = command.wrap(ProcessSession).spawn()?;
    Ok(SpawnedWorker { pid: child.id(), stdin: child.stdin().take(), stdout, stderr })
}
