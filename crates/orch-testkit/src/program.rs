//! The built programs as real processes, in an environment that holds what a test says and nothing else.

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

/// The two programs, and the store they work on.
#[derive(Clone, Debug)]
pub struct TestPrograms {
    inbox: PathBuf,
    orch: PathBuf,
    store: PathBuf,
}

impl TestPrograms {
    /// These programs, with the store at this path.
    #[must_use]
    pub fn new(inbox: impl Into<PathBuf>, orch: impl Into<PathBuf>, store: impl Into<PathBuf>) -> Self {
        Self { inbox: inbox.into(), orch: orch.into(), store: store.into() }
    }

    /// The same programs with another store.
    #[must_use]
    pub fn with_store(&self, store: impl Into<PathBuf>) -> Self {
        Self { store: store.into(), ..self.clone() }
    }

    /// The store's path.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// A command of either program: its first word says which.
    #[must_use]
    pub fn program_command(&self, words: &[&str]) -> Command {
        let (program, arguments) = match words {
            ["inbox", arguments @ ..] => (&self.inbox, arguments),
            ["orch", arguments @ ..] => (&self.orch, arguments),
            _ => panic!("{words:?} is a command of neither program"),
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        // Not in whatever repository the tests themselves are run from.
        command.current_dir(self.store.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")));
        self.set_environment(&mut command);
        command
    }

    /// Gives any command the environment of ours.
    pub fn set_environment(&self, command: &mut Command) {
        let home = self.store.parent().unwrap_or(Path::new("/"));
        command.env_clear().env("ORCH_STORE", &self.store).env("HOME", home).env("PATH", "/usr/bin:/bin");
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn run_command(&self, words: &[&str]) -> ProcessOutput {
        RunningProcess::start(self.program_command(words)).wait_output()
    }

    /// Runs a command that must succeed, and returns its `data`.
    ///
    /// # Panics
    /// It does not.
    #[must_use]
    pub fn run_for_data(&self, words: &[&str]) -> Value {
        let ended = self.run_command(words);
        match ended.program_reply() {
            ProgramReply::Ok { data, .. } => data,
            other => panic!("{words:?}: {other:?}, {ended}"),
        }
    }

    /// The store, open in this process.
    ///
    /// # Panics
    /// It cannot be opened.
    #[must_use]
    pub fn open_session(&self) -> Session {
        Session::open(&StoreLocation::Sqlite(self.store.clone()), OpenOptions::default())
            .unwrap_or_else(|error| panic!("the store does not open: {error:?}"))
    }
}

/// What a program told its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramReply {
    /// It is done.
    Ok {
        /// The answer.
        data: Value,
        /// Whether it is the recorded answer of an earlier request.
        replayed: bool,
    },
    /// It is not done, and why.
    Refused {
        /// The code.
        code: String,
        /// The whole error.
        error: Value,
    },
    /// Nothing, or only a part.
    Nothing,
    /// Something that is no document of the contract.
    Unparsable(String),
}

impl ProgramReply {
    /// Reads what came out of stdout.
    #[must_use]
    pub fn from_stdout(stdout: &[u8]) -> Self {
        // What is cut off in the middle was not said.
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

/// A process that ended, and what it left.
#[derive(Clone, Debug)]
pub struct ProcessOutput {
    /// How.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: String,
    /// From its start to its end, or to its death.
    pub took: Duration,
}

impl ProcessOutput {
    /// What it told its caller.
    #[must_use]
    pub fn program_reply(&self) -> ProgramReply {
        ProgramReply::from_stdout(&self.stdout)
    }

    /// Whether it was killed, and not by itself.
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

/// A process under way.
pub struct RunningProcess {
    child: Child,
    since: Instant,
    stdout: Option<mpsc::Receiver<Vec<u8>>>,
    stderr: mpsc::Receiver<Vec<u8>>,
}

impl RunningProcess {
    /// Starts a command; stdout is read, unless the command has another one.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        Self::start_with_stdout(command)
    }

    /// Starts a command whose stdout is settled already.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start_with_stdout(mut command: Command) -> Self {
        let since = Instant::now();
        command.stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = child.stdout.take().map(read_in_thread);
        let stderr = child.stderr.take().map_or_else(|| mpsc::channel().1, read_in_thread);
        Self { child, since, stdout, stderr }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end and leaves its remains: what it used can still be looked up by its number.
    #[must_use]
    pub fn wait_unreaped(self) -> UnreapedProcess {
        // Both ends of file come with the end of the process.
        let stderr = self.stderr.recv().unwrap_or_default();
        let stdout = self.stdout.as_ref().and_then(|stdout| stdout.recv().ok()).unwrap_or_default();
        UnreapedProcess { child: self.child, since: self.since, stdout, stderr }
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait_output(self) -> ProcessOutput {
        self.wait_unreaped().reap()
    }

    /// Kills it as soon as this time has passed since its start, unless it ended before.
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

    /// Kills it at once.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }
}

/// A process that ended and was not yet looked after.
pub struct UnreapedProcess {
    child: Child,
    since: Instant,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl UnreapedProcess {
    /// Its number, which nobody else can have yet.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Looks after its remains.
    ///
    /// # Panics
    /// The system does not say how it ended.
    #[must_use]
    pub fn reap(mut self) -> ProcessOutput {
        let status = self.child.wait().unwrap_or_else(|error| panic!("no status: {error}"));
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        ProcessOutput { status, stdout: self.stdout, stderr, took: self.since.elapsed() }
    }
}

/// Reads all of it in a thread of its own, so that no pipe fills up.
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
