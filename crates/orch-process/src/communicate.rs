//! One question and one answer: a program is given its input and asked for its output, within bounds.

use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, ExitStatus};
use std::time::{Duration, Instant};

use super::poll::{PollTarget, poll_files, poll_readable, poll_writable};
use crate::limit::PIPE_BYTES;

/// What a program may cost.
#[derive(Clone, Copy, Debug)]
pub struct CommandLimits {
    /// How much it may answer.
    pub stdout_bytes_max: usize,
    /// How much of its complaints is kept; the rest is read and forgotten.
    pub stderr_bytes_max: usize,
    /// How long it may take.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct CapturedOutput {
    /// What it answered, up to the bound.
    pub stdout: Vec<u8>,
    /// The beginning of its complaints.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub end: ProgramEnd,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// By itself.
    Status(ExitStatus),
    /// By us, because it answered more than it may.
    OutputExceeded,
    /// By us, because it took too long.
    TimedOut,
}

/// Gives the child its input and collects its outputs, all three as it is ready for them.
pub fn communicate(mut child: Child, input: &[u8], bounds: CommandLimits) -> io::Result<CapturedOutput> {
    let talk = transfer_streams(&mut child, input, bounds);
    let (stdout, stderr, over) = match talk {
        Ok(talk) => talk,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    let end = match over {
        // A program that closed both outputs has nothing left to do but to end.
        TransferEnd::Closed => ProgramEnd::Status(child.wait()?),
        TransferEnd::OutputExceeded | TransferEnd::TimedOut => {
            let _ = child.kill();
            child.wait()?;
            if matches!(over, TransferEnd::OutputExceeded) {
                ProgramEnd::OutputExceeded
            } else {
                ProgramEnd::TimedOut
            }
        }
    };
    Ok(CapturedOutput { stdout, stderr, end })
}

/// Why the talk was over.
enum TransferEnd {
    Closed,
    OutputExceeded,
    TimedOut,
}

fn transfer_streams(
    child: &mut Child,
    input: &[u8],
    bounds: CommandLimits,
) -> io::Result<(Vec<u8>, Vec<u8>, TransferEnd)> {
    let deadline = Instant::now() + bounds.limit;
    let mut feed = StdinWriter::new(child.stdin.take(), input)?;
    let mut stdout = BoundedReader::new(child.stdout.take(), bounds.stdout_bytes_max)?;
    let mut stderr = BoundedReader::new(child.stderr.take(), bounds.stderr_bytes_max)?;
    while stdout.is_open() || stderr.is_open() {
        if Instant::now() >= deadline {
            return Ok((stdout.kept, stderr.kept, TransferEnd::TimedOut));
        }
        let places =
            [feed.poll_descriptor().and_then(poll_writable), stdout.poll_target(), stderr.poll_target()];
        let ([can_write, stdout_came, stderr_came], _) =
            poll_files(places, std::iter::empty(), Some(deadline));
        if can_write {
            feed.write_available()?;
        }
        if stdout_came && stdout.read_available()? > 0 {
            return Ok((stdout.kept, stderr.kept, TransferEnd::OutputExceeded));
        }
        if stderr_came {
            stderr.read_available()?;
        }
    }
    Ok((stdout.kept, stderr.kept, TransferEnd::Closed))
}

/// Input that is written as the program takes it.
pub(super) struct StdinWriter<'a> {
    stdin: Option<ChildStdin>,
    left: &'a [u8],
}

impl<'a> StdinWriter<'a> {
    pub(super) fn new(stdin: Option<ChildStdin>, input: &'a [u8]) -> io::Result<Self> {
        if let Some(stdin) = &stdin {
            rustix::io::ioctl_fionbio(stdin, true)?;
        }
        let mut feed = Self { stdin, left: input };
        feed.close_when_done();
        Ok(feed)
    }

    /// Where it goes, as long as there is more of it.
    pub(super) fn poll_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().map(AsFd::as_fd)
    }

    /// Writes what is taken now.
    pub(super) fn write_available(&mut self) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        match stdin.write(self.left) {
            Ok(length) => self.left = &self.left[length..],
            Err(error) if is_would_block(&error) => {}
            // It ended, or wants no more; its status says whether that is wrong.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.left = &[],
            Err(error) => return Err(error),
        }
        self.close_when_done();
        Ok(())
    }

    fn close_when_done(&mut self) {
        if self.left.is_empty() {
            self.stdin = None;
        }
    }
}

/// Output that is kept up to a bound.
struct BoundedReader<R> {
    from: Option<R>,
    kept: Vec<u8>,
    bytes_max: usize,
}

impl<R: Read + AsFd> BoundedReader<R> {
    fn new(from: Option<R>, bytes_max: usize) -> io::Result<Self> {
        if let Some(from) = &from {
            rustix::io::ioctl_fionbio(from, true)?;
        }
        Ok(Self { from, kept: Vec::new(), bytes_max })
    }

    fn is_open(&self) -> bool {
        self.from.is_some()
    }

    fn poll_target(&self) -> PollTarget<'_> {
        self.from.as_ref().and_then(|from| poll_readable(from.as_fd()))
    }

    /// Reads what is there once; says how much of it was not kept.
    fn read_available(&mut self) -> io::Result<usize> {
        let Some(from) = &mut self.from else { return Ok(0) };
        let mut buffer = [0; PIPE_BYTES];
        match from.read(&mut buffer) {
            Ok(0) => self.from = None,
            Ok(length) => {
                let kept = length.min(self.bytes_max - self.kept.len());
                self.kept.extend_from_slice(&buffer[..kept]);
                return Ok(length - kept);
            }
            Err(error) if is_would_block(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(0)
    }
}

fn is_would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const BOUNDS: CommandLimits =
        CommandLimits { stdout_bytes_max: 4 << 20, stderr_bytes_max: 10, limit: Duration::from_secs(60) };

    fn communicate_with_shell(script: &str, input: &[u8], bounds: CommandLimits) -> CapturedOutput {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        communicate(child, input, bounds).unwrap()
    }

    fn exit_code(end: ProgramEnd) -> Option<i32> {
        match end {
            ProgramEnd::Status(status) => status.code(),
            ProgramEnd::OutputExceeded | ProgramEnd::TimedOut => None,
        }
    }

    #[test]
    fn input_and_output_flow_at_once() {
        let input = vec![7; 3 << 20];
        let answer = communicate_with_shell("cat", &input, BOUNDS);
        assert!(answer.stdout == input, "{} bytes came back", answer.stdout.len());
        assert_eq!(exit_code(answer.end), Some(0));
    }

    #[test]
    fn complaints_are_cut_and_do_not_block() {
        let answer = communicate_with_shell("head -c 300000 /dev/zero >&2; echo out; exit 3", b"", BOUNDS);
        assert_eq!(
            (answer.stdout, answer.stderr.len(), exit_code(answer.end)),
            (b"out\n".to_vec(), 10, Some(3))
        );
    }

    #[test]
    fn unread_input_is_no_error() {
        let answer = communicate_with_shell("exec <&-; echo done", &vec![1; 1 << 20], BOUNDS);
        assert_eq!((answer.stdout, exit_code(answer.end)), (b"done\n".to_vec(), Some(0)));
    }

    #[test]
    fn too_much_and_too_long_are_ended() {
        let answer = communicate_with_shell("yes", b"", CommandLimits { stdout_bytes_max: 1000, ..BOUNDS });
        assert_eq!((answer.stdout.len(), answer.end), (1000, ProgramEnd::OutputExceeded));
        let answer = communicate_with_shell(
            "exec sleep 1000",
            b"",
            CommandLimits { limit: Duration::from_millis(50), ..BOUNDS },
        );
        assert_eq!(answer.end, ProgramEnd::TimedOut);
    }
}
