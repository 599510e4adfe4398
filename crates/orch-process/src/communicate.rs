//! Running a program with input to its exit, with bounds on output and time.

use std::io;
use std::ops::ControlFlow;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use super::process_loop::{LoopObserver, OutputStream, ProcessLoop, StopCause};

/// Limits of one program run.
#[derive(Clone, Copy, Debug)]
pub struct CommandLimits {
    /// The most output; a program that writes more is killed.
    pub stdout_bytes_max: usize,
    /// How much of stderr is kept; the rest is read and discarded.
    pub stderr_bytes_max: usize,
    /// The time limit.
    pub limit: Duration,
}

/// The result of a program run.
#[derive(Debug)]
pub struct CapturedOutput {
    /// Its output, up to the limit.
    pub stdout: Vec<u8>,
    /// The beginning of its stderr.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub end: ProgramEnd,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It exited.
    Status(ExitStatus),
    /// It was killed because it wrote too much.
    OutputExceeded,
    /// It was killed at the time limit.
    TimedOut,
}

/// Writes the input to a child, captures its output, and waits for its exit.
///
/// The child's standard streams that are pipes are used; the child ends when it has closed both outputs.
pub fn communicate(mut child: Child, input: &[u8], limits: CommandLimits) -> io::Result<CapturedOutput> {
    let mut captured = OutputCapture { stdout: Vec::new(), stderr: Vec::new(), limits };
    let outputs = [child.stdout.take().map(Into::into), child.stderr.take().map(Into::into)];
    let mut process_loop = ProcessLoop::new(child.stdin.take(), input, outputs);
    process_loop.deadline = Some(Instant::now() + limits.limit);
    let cause = process_loop.run(&mut captured).cause;
    if cause != StopCause::Exited {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let end = match cause {
        StopCause::Exited => ProgramEnd::Status(status),
        StopCause::DeadlinePassed => ProgramEnd::TimedOut,
        StopCause::Observer | StopCause::StopRequested => ProgramEnd::OutputExceeded,
    };
    Ok(CapturedOutput { stdout: captured.stdout, stderr: captured.stderr, end })
}

/// Both outputs, each kept up to its limit.
struct OutputCapture {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    limits: CommandLimits,
}

impl LoopObserver for OutputCapture {
    fn on_output(&mut self, stream: OutputStream, bytes: &[u8]) -> ControlFlow<()> {
        let (buffer, bytes_max) = match stream {
            OutputStream::Stdout => (&mut self.stdout, self.limits.stdout_bytes_max),
            OutputStream::Stderr => (&mut self.stderr, self.limits.stderr_bytes_max),
        };
        let kept = bytes.len().min(bytes_max - buffer.len());
        buffer.extend_from_slice(&bytes[..kept]);
        if stream == OutputStream::Stdout && kept < bytes.len() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const LIMITS: CommandLimits =
        CommandLimits { stdout_bytes_max: 4 << 20, stderr_bytes_max: 10, limit: Duration::from_secs(60) };

    fn communicate_with_shell(script: &str, input: &[u8], limits: CommandLimits) -> CapturedOutput {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        communicate(child, input, limits).unwrap()
    }

    fn exit_code(end: ProgramEnd) -> Option<i32> {
        match end {
            ProgramEnd::Status(status) => status.code(),
            ProgramEnd::OutputExceeded | ProgramEnd::TimedOut => None,
        }
    }

    #[test]
    fn input_and_output_are_transferred_concurrently() {
        let input = vec![7; 3 << 20];
        let output = communicate_with_shell("cat", &input, LIMITS);
        assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
        assert_eq!(exit_code(output.end), Some(0));
    }

    #[test]
    fn stderr_is_truncated_and_does_not_block() {
        let output = communicate_with_shell("head -c 300000 /dev/zero >&2; echo out; exit 3", b"", LIMITS);
        assert_eq!(
            (output.stdout, output.stderr.len(), exit_code(output.end)),
            (b"out\n".to_vec(), 10, Some(3))
        );
    }

    #[test]
    fn unread_input_is_not_an_error() {
        let output = communicate_with_shell("exec <&-; echo done", &vec![1; 1 << 20], LIMITS);
        assert_eq!((output.stdout, exit_code(output.end)), (b"done\n".to_vec(), Some(0)));
    }

    #[test]
    fn a_program_is_killed_at_its_output_limit_and_its_time_limit() {
        let output = communicate_with_shell("yes", b"", CommandLimits { stdout_bytes_max: 1000, ..LIMITS });
        assert_eq!((output.stdout.len(), output.end), (1000, ProgramEnd::OutputExceeded));
        let output = communicate_with_shell(
            "exec sleep 1000",
            b"",
            CommandLimits { limit: Duration::from_millis(50), ..LIMITS },
        );
        assert_eq!(output.end, ProgramEnd::TimedOut);
    }
}
