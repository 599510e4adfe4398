//! The guard of a check: this program in a process of its own, between the check's command and its caller.
//!
//! It is a child subreaper and starts nothing else, so that every process it finds below itself belongs to the check.
//! When the command exits, or when the caller asks for it or has exited, it terminates all of them.
//! Then it reports over its stdin how the command exited.
//! A guard without a report was itself terminated from outside.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use process_wrap::std::{CommandWrap, ProcessSession};

use super::check::CheckCommand;
use super::descendants::DescendantTracker;
use super::process_loop::{ChildExit, LoopObserver, OutputStream, ProcessLoop, WatchedChild};
use super::tag::Tag;
use super::termination::KillTarget;

/// The first argument of a guard.
const GUARD_WORD: &str = "__check-guard";

/// The longest report.
const REPORT_BYTES_MAX: u64 = 64;

/// The program to start as a guard: this one, if its `main` serves guards.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// What a guard reports.
#[derive(Debug)]
pub(crate) enum GuardReport {
    /// The command exited.
    Exited(ChildExit),
    /// The command could not be started.
    NotStarted(io::Error),
}

/// Serves as the guard of a check if this process was started as one, and returns its exit code.
///
/// Otherwise returns `None`, and from now on the checks of this process have guards.
#[must_use]
pub fn serve_check_guard() -> Option<ExitCode> {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_none_or(|word| word != GUARD_WORD) {
        // The link leads to the running program even if its file was replaced meanwhile.
        let link = PathBuf::from("/proc/self/exe");
        if let Some(program) =
            Some(link).filter(|link| link.exists()).or_else(|| std::env::current_exe().ok())
        {
            let _ = PROGRAM.set(program);
        }
        return None;
    }
    let [_, _, folder, tag_name, tag_value, grace, command] = arguments.as_slice() else {
        return Some(ExitCode::FAILURE);
    };
    let (Some(name), Some(value), Some(grace)) = (tag_name.to_str(), tag_value.to_str(), grace.to_str())
    else {
        return Some(ExitCode::FAILURE);
    };
    let guarded = GuardedCommand {
        command,
        folder,
        tag: Tag { name, value },
        grace: Duration::from_millis(grace.parse().unwrap_or(0)),
    };
    let report = match guarded.run() {
        Ok(ChildExit::Code(code)) => format!("exited {code}\n"),
        Ok(ChildExit::Signal(signal)) => format!("signalled {signal}\n"),
        Err(error) => format!("not-started {}\n", error.raw_os_error().unwrap_or(0)),
    };
    let sent = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let sent = sent.and_then(|mut stream| stream.write_all(report.as_bytes()));
    Some(if sent.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the program to start as a guard; `None` if this program does not serve guards.
pub(crate) fn guard_program() -> Option<&'static PathBuf> {
    PROGRAM.get()
}

/// Builds the command of a guard; its stdin is the stream for its report.
pub(crate) fn guard_command(program: &PathBuf, check: &CheckCommand<'_>) -> Command {
    let mut command = Command::new(program);
    check.environment.apply_to(&mut command);
    // The guard is not tagged, so that a termination by the tag leaves it to its work.
    command
        .arg(GUARD_WORD)
        .arg(check.folder)
        .args([check.tag.name, check.tag.value])
        .arg(check.grace.as_millis().to_string())
        .arg(check.command)
        .current_dir("/");
    command
}

/// Reads the report of a guard that has exited.
pub(crate) fn read_report(stream: UnixStream) -> Option<GuardReport> {
    stream.set_nonblocking(true).ok()?;
    let mut text = String::new();
    // What was written before an error, such as a stream that others keep open, is read.
    let _ = stream.take(REPORT_BYTES_MAX).read_to_string(&mut text);
    let (word, number) = text.strip_suffix('\n')?.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "exited" => Some(GuardReport::Exited(ChildExit::Code(number))),
        "signalled" => Some(GuardReport::Exited(ChildExit::Signal(number))),
        "not-started" => Some(GuardReport::NotStarted(io::Error::from_raw_os_error(number))),
        _ => None,
    }
}

/// The command that a guard runs.
struct GuardedCommand<'a> {
    command: &'a OsStr,
    folder: &'a OsStr,
    tag: Tag<'a>,
    grace: Duration,
}

impl GuardedCommand<'_> {
    /// Runs the command until none of its processes is left.
    fn run(&self) -> io::Result<ChildExit> {
        let descendants = DescendantTracker::start_tracking();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(self.command).arg("sh").current_dir(self.folder).stdin(Stdio::null());
        command.env(self.tag.name, self.tag.value);
        // In a session of its own it has no terminal to ask questions at.
        let shell = CommandWrap::from(command).wrap(ProcessSession).spawn()?.id();
        let child = WatchedChild::watch_leader(shell)?;
        let stdin = io::stdin();
        let mut process_loop = ProcessLoop::new(None, &[], [None, None]);
        let target = KillTarget {
            tag: Some(self.tag),
            descendants: Some(descendants.with_worker(shell)),
            group: Some(child.group()),
            guard: None,
        };
        process_loop.child = Some(child);
        process_loop.stop = Some(stdin.as_fd());
        process_loop.target = Some((target, self.grace));
        Ok(process_loop.run(&mut NoOutput).exit)
    }
}

/// The output of the command goes past its guard.
struct NoOutput;

impl LoopObserver for NoOutput {
    fn on_output(&mut self, _stream: OutputStream, _bytes: &[u8]) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Continue(())
    }
}
