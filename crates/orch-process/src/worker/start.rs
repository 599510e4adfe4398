//! How a worker comes to run: everything that may be missing is looked for first, so that it can be named.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{ChildStdin, Command, Stdio};

use process_wrap::std::{CommandWrap, ProcessSession};

use super::{Input, Worker, WorkerFault};

/// A worker that runs.
pub(super) struct Started {
    pub(super) pid: u32,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// Makes the command that is to run as the worker; nothing has happened yet.
pub(super) fn prepare(worker: &Worker<'_>) -> Result<Command, WorkerFault> {
    if !worker.folder.is_dir() {
        return Err(WorkerFault::NoFolder);
    }
    let (name, arguments) = worker.command.split_first().ok_or(WorkerFault::NotFound)?;
    let mut command = Command::new(find(worker, name)?);
    command.args(arguments).current_dir(worker.folder).stdin(input(worker.input)?);
    worker.environment.apply(&mut command);
    command.env(worker.tag.name, worker.tag.value);
    Ok(command)
}

/// Starts the command as the leader of a session and a group of its own.
pub(super) fn start(command: Command) -> Result<Started, WorkerFault> {
    spawn(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WorkerFault::NotFound,
        io::ErrorKind::PermissionDenied => WorkerFault::NotExecutable,
        _ => WorkerFault::NoProcess(error),
    })
}

/// The program, as a shell with the worker's `PATH` would find it, but never in its folder.
fn find(worker: &Worker<'_>, name: &OsStr) -> Result<OsString, WorkerFault> {
    if name.as_bytes().contains(&b'/') {
        return Ok(name.to_owned());
    }
    let name = name.to_str().ok_or(WorkerFault::NotFound)?;
    worker.environment.find_program(name).map(Into::into).ok_or(WorkerFault::NotFound)
}

fn input(input: Input<'_>) -> Result<Stdio, WorkerFault> {
    Ok(match input {
        Input::Nothing => Stdio::null(),
        Input::Bytes(_) => Stdio::piped(),
        Input::File(path) => File::open(path).map_err(WorkerFault::NoInput)?.into(),
    })
}

fn spawn(mut command: Command) -> io::Result<Started> {
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
    Ok(Started { pid: child.id(), stdin: child.stdin().take(), stdout, stderr })
}
