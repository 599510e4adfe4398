//! A supervisor under way, which is listened to and never waited for without end.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a supervisor may take from its start to its end. A client starts in seconds, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// A supervisor under way; it is killed when nobody listens any more.
pub(super) struct DriveProcess {
    child: Child,
    lines: Receiver<String>,
    until: Instant,
}

impl DriveProcess {
    /// Starts it, with what it prints to stderr in a file.
    pub(super) fn start(mut command: Command, stderr: File) -> Result<Self, String> {
        command.stdout(std::process::Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().map_err(|error| format!("orch drive does not start: {error}."))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                // Ends with the supervisor, or when nobody listens.
                BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
            });
        }
        Ok(Self { child, lines, until: Instant::now() + LIMIT })
    }

    /// Listens until an event of this kind.
    pub(super) fn wait_for_event(&mut self, kind: &str) -> Result<(), String> {
        while let Some(line) = self.next_line()? {
            let document: Value = serde_json::from_str(&line).unwrap_or_default();
            if document["data"]["event"]["kind"] == kind {
                return Ok(());
            }
        }
        Err(format!("orch drive ended and never told of `{kind}`."))
    }

    /// Listens to its end, which must be a good one.
    pub(super) fn wait_for_success(mut self) -> Result<(), String> {
        let mut last = String::new();
        while let Some(line) = self.next_line()? {
            last = line;
        }
        let status = self.wait_for_exit()?;
        if status.success() { Ok(()) } else { Err(format!("orch drive ended with {status}: {last}")) }
    }

    /// Kills it as nobody can be warned of.
    pub(super) fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| format!("orch drive is not killed: {error}."))?;
        self.wait_for_exit().map(drop)
    }

    fn wait_for_exit(&mut self) -> Result<ExitStatus, String> {
        self.child.wait().map_err(|error| format!("orch drive does not say how it ended: {error}."))
    }

    /// The next line; none at its end.
    fn next_line(&mut self) -> Result<Option<String>, String> {
        let left = self.until.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("orch drive went on for {} s.", LIMIT.as_secs())),
        }
    }
}

impl Drop for DriveProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
