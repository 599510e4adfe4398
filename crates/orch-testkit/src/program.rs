//! Runs the built programs as processes in an environment that contains only what a test sets.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use orch_inbox::Session;
use orch_inbox::session::OpenOptions;
use orch_store::StoreLocation;
use serde_json::Value;

/// Paths of the two programs and of their store.
#[derive(Clone, Debug)]
pub struct TestPrograms {
    inbox: PathBuf,
    orch: PathBuf,
    store: PathBuf,
}

impl TestPrograms {
    /// Takes the paths of the programs and of the store.
    #[must_use]
    pub fn new(inbox: impl Into<PathBuf>, orch: impl Into<PathBuf>, store: impl Into<PathBuf>) -> Self {
        Self { inbox: inbox.into(), orch: orch.into(), store: store.into() }
    }

    /// Returns these programs with another store.
    #[must_use]
    pub fn with_store(&self, store: impl Into<PathBuf>) -> Self {
        Self { store: store.into(), ..self.clone() }
    }

    /// Returns the store's path.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Returns a command of either program; its first word selects the program.
    #[must_use]
    pub fn program_command(&self, words: &[&str]) -> Command {
        let (program, arguments) = match words {
            ["inbox", arguments @ ..] => (&self.inbox, arguments),
            ["orch", arguments @ ..] => (&self.orch, arguments),
            _ => panic!("{words:?} is a command of neither program"),
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        // Outside of the repository from which the tests are run.
        command.current_dir(self.store.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")));
        self.set_environment(&mut command);
        command
    }

    /// Sets the environment of our programs for any command.
    pub fn set_environment(&self, command: &mut Command) {
        let home = self.store.parent().unwrap_or(Path::new("/"));
        command.env_clear().env("ORCH_STORE", &self.store).env("HOME", home).env("PATH", "/usr/bin:/bin");
    }

    /// Runs a command and waits for its exit.
    #[must_use]
    pub fn run_command(&self, words: &[&str]) -> ProcessOutput {
        RunningProcess::start(self.program_command(words)).wait_output()
    }

    /// Runs a command and returns its `data`; panics unless it succeeds.
    #[must_use]
    pub fn run_for_data(&self, words: &[&str]) -> Value {
        let ended = self.run_command(words);
        match ended.program_reply() {
            ProgramReply::Ok { data, .. } => data,
            other => panic!("{words:?}: {other:?}, {ended}"),
        }
    }

    /// Opens a session with the store in this process.
    #[must_use]
    pub fn open_session(&self) -> Session {
        Session::open(&StoreLocation::Sqlite(self.store.clone()), OpenOptions::default())
            .unwrap_or_else(|error| panic!("the store does not open: {error:?}"))
    }
}

/// The reply that a program printed.
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramReply {
    /// The command succeeded.
    Ok {
        /// The `data` of the reply.
        data: Value,
        /// Whether the reply is the recorded one of an earlier request.
        replayed: bool,
    },
    /// The command was refused.
    Refused {
        /// The error code.
        code: String,
        /// The whole error.
        error: Value,
    },
    /// No reply, or an incomplete one.
    Nothing,
    /// Output that does not conform to the contract.
    Unparsable(String),
}

impl ProgramReply {
    /// Parses a program's stdout.
    #[must_use]
    pub fn from_stdout(stdout: &[u8]) -> Self {
        // A truncated reply does not count.
        let Some(line) = stdout.strip_suffix(b"\n") else { return Self::Nothing };
        let nonsense = || Self::Unparsable(String::from_utf8_lossy(stdout).into_owned());
        let Ok(document) = serde_json::from_slice::<Value>(line) else { return nonsense() };
        match (&document["ok"], &document["error"]["code"]) {
            (Value::Bool(true), _) => {
                Self::Ok { data: document["data"].clone(), replayed: document["replayed"] == true }
            }
            (Value::Bool(false), Value::String(code)) => {
                Self::Refused { code: code.clone(), error: document["error"].clone() }
            }
            _ => nonsense(),
        }
    }
}

/// The result of a process that exited.
#[derive(Clone, Debug)]
pub struct ProcessOutput {
    /// The exit status.
    pub status: ExitStatus,
    /// The content of stdout.
    pub stdout: Vec<u8>,
    /// The content of stderr.
    pub stderr: String,
    /// The duration from start to exit.
    pub took: Duration,
}

impl ProcessOutput {
    /// Parses the reply on stdout.
    #[must_use]
    pub fn program_reply(&self) -> ProgramReply {
        ProgramReply::from_stdout(&self.stdout)
    }

    /// Returns whether `SIGKILL` ended the process.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        const SIGKILL: i32 = 9;
        self.status.signal() == Some(SIGKILL)
    }
}

impl std::fmt::Display for ProcessOutput {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(formatter, "{}, stdout: {}, stderr: {}", self.status, stdout.trim(), self.stderr.trim())
    }
}

/// A running process.
pub struct RunningProcess {
    child: Child,
    since: Instant,
    stdout: Option<mpsc::Receiver<Vec<u8>>>,
    stderr: mpsc::Receiver<Vec<u8>>,
}

impl RunningProcess {
    /// Starts a command and captures its stdout.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        Self::start_with_stdout(command)
    }

    /// Starts a command whose stdout the caller has set.
    #[must_use]
    pub fn start_with_stdout(mut command: Command) -> Self {
        let since = Instant::now();
        command.stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = child.stdout.take().map(read_in_thread);
        let stderr = child.stderr.take().map_or_else(|| mpsc::channel().1, read_in_thread);
        Self { child, since, stdout, stderr }
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the exit without reaping, so that the resources it used can still be looked up by its id.
    #[must_use]
    pub fn wait_unreaped(self) -> UnreapedProcess {
        // Both streams end when the process exits.
        let stderr = self.stderr.recv().unwrap_or_default();
        let stdout = self.stdout.as_ref().and_then(|stdout| stdout.recv().ok()).unwrap_or_default();
        UnreapedProcess { child: self.child, since: self.since, stdout, stderr }
    }

    /// Waits for the exit.
    #[must_use]
    pub fn wait_output(self) -> ProcessOutput {
        self.wait_unreaped().reap()
    }

    /// Kills the process when this time has passed since its start, unless it exits earlier.
    #[must_use]
    pub fn wait_or_kill(mut self, after: Duration) -> ProcessOutput {
        let left = after.saturating_sub(self.since.elapsed());
        let early = self.stdout.as_ref().and_then(|stdout| stdout.recv_timeout(left).ok());
        self.kill();
        let mut ended = self.wait_output();
        if let Some(stdout) = early {
            ended.stdout = stdout;
        }
        ended
    }

    /// Kills the process now.
    pub fn kill(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
    }
}

/// A process that exited and is not reaped yet.
pub struct UnreapedProcess {
    child: Child,
    since: Instant,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl UnreapedProcess {
    /// Returns the process id, which the system cannot have reused yet.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reaps the process.
    #[must_use]
    pub fn reap(mut self) -> ProcessOutput {
        let status = self.child.wait().unwrap_or_else(|error| panic!("no status: {error}"));
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        ProcessOutput { status, stdout: self.stdout, stderr, took: self.since.elapsed() }
    }
}

/// Reads a stream to its end in a thread, so that the process never blocks on a full pipe.
fn read_in_thread(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error counts.
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_documents_were_said() {
        for (stdout, said) in [
            ("", ProgramReply::Nothing),
            (r#"{"ok":true,"data":1}"#, ProgramReply::Nothing),
            ("{\"ok\":true,\"data\":1}\n", ProgramReply::Ok { data: 1.into(), replayed: false }),
            (
                "{\"ok\":true,\"replayed\":true,\"data\":1}\n",
                ProgramReply::Ok { data: 1.into(), replayed: true },
            ),
            ("thread main\n", ProgramReply::Unparsable("thread main\n".to_owned())),
        ] {
            assert_eq!(ProgramReply::from_stdout(stdout.as_bytes()), said, "{stdout}");
        }
        let refused = ProgramReply::from_stdout(b"{\"ok\":false,\"error\":{\"code\":\"lease_lost\"}}\n");
        assert!(matches!(refused, ProgramReply::Refused { code, .. } if code == "lease_lost"));
    }

    #[test]
    fn a_process_is_killed_in_time_or_ends_before() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            RunningProcess::start(command)
        };
        let killed = shell("exec tail -f /dev/null").wait_or_kill(Duration::from_millis(20));
        assert!(killed.was_killed() && killed.stdout.is_empty());
        let ended = shell("echo it").wait_or_kill(Duration::from_secs(60));
        assert_eq!(ended.stdout, b"it\n");
    }
}
