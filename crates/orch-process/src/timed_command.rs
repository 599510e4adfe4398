//! Running a program with input and a time limit, without its output or for its first line.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::group::ProcessGroup;
use super::process_loop::{LoopObserver, OutputStream, ProcessLoop, StopCause, WatchedChild};
use crate::EnvironmentVariables;

/// The longest first line that is read.
const LINE_BYTES_MAX: usize = 300;

/// Runs a program with this input in a process group of its own and discards its output.
///
/// Returns `None` if the program exceeded the time limit; its process group was then killed.
///
/// # Errors
/// The program cannot be started.
pub fn run_with_timeout(
    words: &[OsString],
    folder: &Path,
    environment: &EnvironmentVariables,
    input: &[u8],
    limit: Duration,
) -> io::Result<Option<ExitStatus>> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    environment.apply_to(&mut command);
    command.args(arguments).current_dir(folder).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn()?;
    let mut process_loop = ProcessLoop::new(process.stdin.take(), input, [None, None]);
    process_loop.child = Some(WatchedChild::watch_leader(process.id())?);
    process_loop.deadline = Some(Instant::now() + limit);
    let has_exited = process_loop.run(&mut NoObserver).cause == StopCause::Exited;
    if !has_exited {
        ProcessGroup::led_by(process.id()).kill();
    }
    let status = process.wait()?;
    Ok(has_exited.then_some(status))
}

/// Runs a program and returns the first line that it prints, if it ends in time and prints one.
#[must_use]
pub fn read_first_line(
    words: &[OsString],
    folder: &Path,
    environment: &EnvironmentVariables,
    limit: Duration,
) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    environment.apply_to(&mut command);
    command.args(arguments).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().ok()?;
    let mut line = FirstLine(Vec::new());
    let mut process_loop = ProcessLoop::new(None, &[], [process.stdout.take().map(Into::into), None]);
    process_loop.deadline = Some(Instant::now() + limit);
    process_loop.run(&mut line);
    ProcessGroup::led_by(process.id()).kill();
    process.wait().ok()?;
    let first = line.0.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy)?;
    Some(first.trim().to_owned()).filter(|first| !first.is_empty())
}

/// Collects the first line of a program's output.
struct FirstLine(Vec<u8>);

impl LoopObserver for FirstLine {
    fn on_output(&mut self, _stream: OutputStream, bytes: &[u8]) -> ControlFlow<()> {
        self.0.extend_from_slice(bytes);
        let is_whole = self.0.contains(&b'\n') || self.0.len() > LINE_BYTES_MAX;
        self.0.truncate(LINE_BYTES_MAX);
        if is_whole { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Observes a program without output.
struct NoObserver;

impl LoopObserver for NoObserver {
    fn on_output(&mut self, _stream: OutputStream, _bytes: &[u8]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let read = |script: &str, seconds| {
            let words: Vec<OsString> = ["sh", "-c", script].into_iter().map(OsString::from).collect();
            let environment = EnvironmentVariables::inherit_sanitized();
            read_first_line(&words, folder.path(), &environment, Duration::from_secs(seconds))
        };
        assert_eq!(
            read("echo ' 1.2.3 (client) '; echo more; sleep 100", 60).as_deref(),
            Some("1.2.3 (client)")
        );
        assert_eq!(read("printf 7", 60).as_deref(), Some("7"));
        assert_eq!(read("exit 3", 60), None);
        assert_eq!(read("sleep 100; echo late", 0), None);
    }

    fn run_script(script: &str, limit: Duration) -> io::Result<Option<i32>> {
        let folder = tempfile::tempdir().unwrap();
        let words = ["/bin/sh", "-c", script].map(OsString::from);
        let input = vec![b'x'; 1_000_000];
        let environment = EnvironmentVariables::empty().with_variable("SET", "yes");
        let status = run_with_timeout(&words, folder.path(), &environment, &input, limit)?;
        Ok(status.and_then(|status| status.code()))
    }

    #[test]
    fn a_program_exits_or_is_killed_at_its_time_limit() {
        let long = Duration::from_secs(60);
        assert_eq!(
            run_script("read -r line; [ ${#line} = 1000000 ] && [ $SET = yes ]", long).unwrap(),
            Some(0)
        );
        assert_eq!(run_script("exit 3", long).unwrap(), Some(3), "it may leave its input unread");
        let started = Instant::now();
        let ignores_term = "trap '' TERM; exec <&-; while :; do read line; done";
        assert_eq!(run_script(ignores_term, Duration::from_millis(50)).unwrap(), None);
        assert!(started.elapsed() < long);
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let words = [OsString::from("/nowhere/to/be/found")];
        let environment = EnvironmentVariables::empty();
        let limit = Duration::from_secs(1);
        assert!(run_with_timeout(&words, Path::new("/"), &environment, b"", limit).is_err());
        assert!(run_with_timeout(&[], Path::new("/"), &environment, b"", limit).is_err());
    }
}
