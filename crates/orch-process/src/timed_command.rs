//! Running a program with input and a time limit, without its output.

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
