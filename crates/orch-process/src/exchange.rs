//! One question and one answer: a program is given its input and asked for its output, within bounds.

use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, ExitStatus};
use std::time::{Duration, Instant};

use super::poll::{Place, poll, readable, writable};
use crate::limit::PIPE_BYTES;

/// What a program may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How much it may answer.
    pub stdout_bytes_max: usize,
    /// How much of its complaints is kept; the rest is read and forgotten.
    pub stderr_bytes_max: usize,
    /// How long it may take.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Exchanged {
    /// What it answered, up to the bound.
    pub stdout: Vec<u8>,
    /// The beginning of its complaints.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub end: End,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Status(ExitStatus),
    /// By us, because it answered more than it may.
    TooMuch,
    /// By us, because it took too long.
    TimedOut,
}

/// Gives the child its input and collects its outputs, all three as it is ready for them.
pub fn exchange(mut child: Child, input: &[u8], bounds: Bounds) -> io::Result<Exchanged> {
    let talk = talk(&mut child, input, bounds);
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
        Over::Closed => End::Status(child.wait()?),
        Over::TooMuch | Over::TimedOut => {
            let _ = child.kill();
            child.wait()?;
            if matches!(over, Over::TooMuch) { End::TooMuch } else { End::TimedOut }
        }
    };
    Ok(Exchanged { stdout, stderr, end })
}

/// Why the talk was over.
enum Over {
    Closed,
    TooMuch,
    TimedOut,
}

fn talk(child: &mut Child, input: &[u8], bounds: Bounds) -> io::Result<(Vec<u8>, Vec<u8>, Over)> {
    let deadline = Instant::now() + bounds.limit;
    let mut feed = Feed::new(child.stdin.take(), input)?;
    let mut stdout = Drain::new(child.stdout.take(), bounds.stdout_bytes_max)?;
    let mut stderr = Drain::new(child.stderr.take(), bounds.stderr_bytes_max)?;
    while stdout.is_open() || stderr.is_open() {
        if Instant::now() >= deadline {
            return Ok((stdout.kept, stderr.kept, Over::TimedOut));
        }
        let places = [feed.place().and_then(writable), stdout.place(), stderr.place()];
        let ([can_write, stdout_came, stderr_came], _) = poll(places, std::iter::empty(), Some(deadline));
        if can_write {
            feed.write()?;
        }
        if stdout_came && stdout.read()? > 0 {
            return Ok((stdout.kept, stderr.kept, Over::TooMuch));
        }
        if stderr_came {
            stderr.read()?;
        }
    }
    Ok((stdout.kept, stderr.kept, Over::Closed))
}

/// Input that is written as the program takes it.
pub(super) struct Feed<'a> {
    stdin: Option<ChildStdin>,
    left: &'a [u8],
}

impl<'a> Feed<'a> {
    pub(super) fn new(stdin: Option<ChildStdin>, input: &'a [u8]) -> io::Result<Self> {
        if let Some(stdin) = &stdin {
            rustix::io::ioctl_fionbio(stdin, true)?;
        }
        let mut feed = Self { stdin, left: input };
        feed.close_when_done();
        Ok(feed)
    }

    /// Where it goes, as long as there is more of it.
    pub(super) fn place(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().map(AsFd::as_fd)
    }

    /// Writes what is taken now.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        match stdin.write(self.left) {
            Ok(length) => self.left = &self.left[length..],
            Err(error) if is_not_now(&error) => {}
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
struct Drain<R> {
    from: Option<R>,
    kept: Vec<u8>,
    bytes_max: usize,
}

impl<R: Read + AsFd> Drain<R> {
    fn new(from: Option<R>, bytes_max: usize) -> io::Result<Self> {
        if let Some(from) = &from {
            rustix::io::ioctl_fionbio(from, true)?;
        }
        Ok(Self { from, kept: Vec::new(), bytes_max })
    }

    fn is_open(&self) -> bool {
        self.from.is_some()
    }

    fn place(&self) -> Place<'_> {
        self.from.as_ref().and_then(|from| readable(from.as_fd()))
    }

    /// Reads what is there once; says how much of it was not kept.
    fn read(&mut self) -> io::Result<usize> {
        let Some(from) = &mut self.from else { return Ok(0) };
        let mut buffer = [0; PIPE_BYTES];
        match from.read(&mut buffer) {
            Ok(0) => self.from = None,
            Ok(length) => {
                let kept = length.min(self.bytes_max - self.kept.len());
                self.kept.extend_from_slice(&buffer[..kept]);
                return Ok(length - kept);
            }
            Err(error) if is_not_now(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(0)
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const BOUNDS: Bounds =
        Bounds { stdout_bytes_max: 4 << 20, stderr_bytes_max: 10, limit: Duration::from_secs(60) };

    fn ask(script: &str, input: &[u8], bounds: Bounds) -> Exchanged {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        exchange(child, input, bounds).unwrap()
    }

    fn code(end: End) -> Option<i32> {
        match end {
            End::Status(status) => status.code(),
            End::TooMuch | End::TimedOut => None,
        }
    }

    #[test]
    fn input_and_output_flow_at_once() {
        let input = vec![7; 3 << 20];
        let answer = ask("cat", &input, BOUNDS);
        assert!(answer.stdout == input, "{} bytes came back", answer.stdout.len());
        assert_eq!(code(answer.end), Some(0));
    }

    #[test]
    fn complaints_are_cut_and_do_not_block() {
        let answer = ask("head -c 300000 /dev/zero >&2; echo out; exit 3", b"", BOUNDS);
        assert_eq!((answer.stdout, answer.stderr.len(), code(answer.end)), (b"out\n".to_vec(), 10, Some(3)));
    }

    #[test]
    fn unread_input_is_no_error() {
        let answer = ask("exec <&-; echo done", &vec![1; 1 << 20], BOUNDS);
        assert_eq!((answer.stdout, code(answer.end)), (b"done\n".to_vec(), Some(0)));
    }

    #[test]
    fn too_much_and_too_long_are_ended() {
        let answer = ask("yes", b"", Bounds { stdout_bytes_max: 1000, ..BOUNDS });
        assert_eq!((answer.stdout.len(), answer.end), (1000, End::TooMuch));
        let answer = ask("exec sleep 1000", b"", Bounds { limit: Duration::from_millis(50), ..BOUNDS });
        assert_eq!(answer.end, End::TimedOut);
    }
}
