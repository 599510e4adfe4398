//! A running `orch drive` whose output is read line by line, with a time limit.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Time limit for a supervisor from start to exit. A client starts within seconds even on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// A running supervisor; dropping it kills the process.
pub(super) struct DriveProcess {
    child: Child,
    lines: Receiver<String>,
    until: Instant,
}

impl DriveProcess {
    /// Starts a supervisor with its stderr redirected to a file.
    pub(super) fn start(mut command: Command, stderr: File) -> Result<Self, String> {
        command.stdout(std::process::Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().map_err(|error| format!("orch drive does not start: {error}."))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                // The thread ends when the supervisor exits or the receiver is dropped.
                BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
            });
        }
        Ok(Self { child, lines, until: Instant::now() + LIMIT })
    }

    /// Reads output until an event of this kind appears.
    pub(super) fn wait_for_event(&mut self, kind: &str) -> Result<(), String> {
        while let Some(line) = self.next_line()? {
            let document: Value = serde_json::from_str(&line).unwrap_or_default();
            if document["data"]["event"]["kind"] == kind {
                return Ok(());
            }
        }
        Err(format!("orch drive exited without an event of kind `{kind}`."))
    }

    /// Waits for the supervisor to exit with success.
    pub(super) fn wait_for_success(mut self) -> Result<(), String> {
        let mut last = String::new();
        while let Some(line) = self.next_line()? {
            last = line;
        }
        let status = self.wait_for_exit()?;
        if status.success() { Ok(()) } else { Err(format!("orch drive ended with {status}: {last}")) }
    }

    /// Sends `SIGKILL` to the supervisor and waits for its exit.
    pub(super) fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| format!("orch drive is not killed: {error}."))?;
        self.wait_for_exit().map(drop)
    }

    fn wait_for_exit(&mut self) -> Result<ExitStatus, String> {
        self.child.wait().map_err(|error| format!("orch drive does not say how it ended: {error}."))
    }

    /// Returns the next line of output; `None` at the end of the output.
    fn next_line(&mut self) -> Result<Option<String>, String> {
        let left = self.until.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("orch drive did not exit within {} s.", LIMIT.as_secs()))
            }
        }
    }
}

impl Drop for DriveProcess {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
