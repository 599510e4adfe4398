//! Telling another program something: it gets a text, some variables and little time, and nobody waits for more.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::communicate::StdinWriter;
use super::group::ProcessGroup;
use super::pidfd::child_exit_handle;
use super::poll::{poll_files, poll_readable, poll_writable};
use crate::EnvironmentVariables;

/// Runs a program with this input, in a group of its own; what it prints is nobody's. `None` where it took too long:
/// it was ended then, with what it had started.
///
/// # Errors
/// It cannot be started.
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
    let mut child = command.spawn()?;
    let due = Instant::now() + limit;
    let group = ProcessGroup::led_by(child.id());
    let told = (|| {
        let ended = child_exit_handle(child.id())?;
        let mut feed = StdinWriter::new(child.stdin.take(), input)?;
        loop {
            let places = [feed.poll_descriptor().and_then(poll_writable), poll_readable(ended.as_fd())];
            let ([takes, ended], _) = poll_files(places, std::iter::empty(), Some(due));
            if ended {
                return Ok(true);
            }
            if Instant::now() >= due {
                return Ok(false);
            }
            if takes {
                feed.write_available()?;
            }
        }
    })();
    if !matches!(told, Ok(true)) {
        group.kill();
    }
    let status = child.wait()?;
    told.map(|ended: bool| ended.then_some(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_script(script: &str, limit: Duration) -> io::Result<Option<i32>> {
        let folder = tempfile::tempdir().unwrap();
        let words = ["/bin/sh", "-c", script].map(OsString::from);
        let input = vec![b'x'; 1_000_000];
        let environment = EnvironmentVariables::empty().with_variable("SAID", "it");
        let status = run_with_timeout(&words, folder.path(), &environment, &input, limit)?;
        Ok(status.and_then(|status| status.code()))
    }

    #[test]
    fn it_ends_by_itself_or_by_us() {
        let long = Duration::from_secs(60);
        assert_eq!(
            run_script("read -r line; [ ${#line} = 1000000 ] && [ $SAID = it ]", long).unwrap(),
            Some(0)
        );
        assert_eq!(run_script("exit 3", long).unwrap(), Some(3), "it need not listen");
        let begun = Instant::now();
        let hangs = "trap '' TERM; exec <&-; while :; do read line; done";
        assert_eq!(run_script(hangs, Duration::from_millis(50)).unwrap(), None);
        assert!(begun.elapsed() < long);
    }

    #[test]
    fn what_is_not_there_cannot_be_told() {
        let words = [OsString::from("/nowhere/to/be/found")];
        let environment = EnvironmentVariables::empty();
        let limit = Duration::from_secs(1);
        assert!(run_with_timeout(&words, Path::new("/"), &environment, b"", limit).is_err());
        assert!(run_with_timeout(&[], Path::new("/"), &environment, b"", limit).is_err());
    }
}
