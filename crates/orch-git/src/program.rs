//! The `git` program: finding it, and running its commands.
//!
//! Every command gets a clean environment and a configuration under which it never prompts, pages, starts background
//! processes or runs the user's hooks.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::error::{GitError, GitFailureCause};
use super::host::{ExceededLimit, HostPrograms, ProgramLimits};
use super::{lock_file, version};
use crate::limit::{
    GIT_COMMAND_LIMIT, GIT_OUTPUT_BYTES_MAX, GIT_STDERR_BYTES_MAX, GIT_VERSION_MIN, SIGNING_LIMIT,
};

/// The configuration of every command; it overrides the user's.
const CONFIG: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    // With a split index, `skipHash` makes git lose files that it has just checked out.
    "index.skipHash=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    // Other commands hold these locks for an instant; by default git gives up after 0.1 seconds.
    "core.filesRefLockTimeout=10000",
    "core.packedRefsTimeout=10000",
    "worktree.guessRemote=false",
];

/// The variables of every command.
const VARIABLES: [(&str, &str); 8] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", ":"),
    ("GIT_SEQUENCE_EDITOR", ":"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    // A read never takes the index lock, which the worker's own git may need.
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ADVICE", "0"),
    ("LC_ALL", "C"),
];

/// Variables of the user that would change what our commands mean or print.
const DROPPED_VARIABLES: [&str; 6] = [
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
];

/// The installed git program, of a supported version.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    host: Arc<dyn HostPrograms>,
}

impl Git {
    /// Finds git on the host's search path and checks its version.
    ///
    /// # Errors
    /// `NotInstalled`, `TooOld`.
    pub fn find_installed(host: impl HostPrograms + 'static) -> Result<Self, GitError> {
        let program = host.find_program("git").ok_or(GitError::NotInstalled)?;
        let git = Self { program, host: Arc::new(host) };
        let output = git.command_in(&CommandScope::Nowhere, ["version"]).read_stdout()?;
        let text = String::from_utf8_lossy(&output);
        match version::parse_version(&text) {
            Some(found) if found >= GIT_VERSION_MIN => Ok(git),
            _ => {
                let found = text.trim().trim_start_matches("git version ").to_owned();
                Err(GitError::TooOld(found))
            }
        }
    }

    /// Returns the host that the commands run on.
    pub(super) fn host(&self) -> &dyn HostPrograms {
        &*self.host
    }

    /// Returns the path of a file with the user's configuration for all repositories.
    pub(super) fn user_config_file(&self, name: &str) -> Option<PathBuf> {
        let value = |variable: &str| {
            let (_, value) = self.host.environment().iter().find(|(name, _)| name == variable)?;
            Some(value).filter(|value| !value.is_empty())
        };
        let folder = match value("XDG_CONFIG_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(value("HOME")?).join(".config"),
        };
        Some(folder.join("git").join(name))
    }

    /// Builds a command.
    pub(super) fn command_in<I>(&self, scope: &CommandScope<'_>, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let arguments: Vec<OsString> =
            arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.host.environment().iter().map(|(name, value)| (name, value)));
        command.envs(VARIABLES);
        for name in DROPPED_VARIABLES {
            command.env_remove(name);
        }
        for setting in CONFIG {
            command.args(["-c", setting]);
        }
        scope.apply_to(&mut command);
        GitCommand {
            host: Arc::clone(&self.host),
            command,
            name: command_name(&arguments),
            arguments,
            input: CommandInput::Nothing,
            output_file: None,
            output_bytes_max: GIT_OUTPUT_BYTES_MAX,
            duration_max: GIT_COMMAND_LIMIT,
        }
    }
}

/// The repository and the worktree that a command works on.
#[derive(Clone, Copy, Debug)]
pub(super) enum CommandScope<'a> {
    /// No repository.
    Nowhere,
    /// The repository that git discovers from this folder.
    Search(&'a Path),
    /// This repository without a worktree.
    Repository(&'a Path),
    /// This repository and this worktree.
    ///
    /// Both are named, so that a worktree without its `.git` file is an error, and git does not discover the
    /// repository around it.
    Worktree { git_dir: &'a Path, top: &'a Path },
}

impl CommandScope<'_> {
    fn apply_to(&self, command: &mut Command) {
        let option = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        match self {
            Self::Nowhere => command,
            Self::Search(folder) => command.current_dir(folder),
            Self::Repository(git_dir) => command.current_dir(git_dir).arg(option("--git-dir=", git_dir)),
            Self::Worktree { git_dir, top } => {
                command.current_dir(top).arg(option("--git-dir=", git_dir)).arg(option("--work-tree=", top))
            }
        };
    }
}

/// The stdin of a command.
#[derive(Debug)]
enum CommandInput {
    Nothing,
    Bytes(Vec<u8>),
    /// A locked file: the command holds the lock as long as it runs, even if we are killed.
    Lock(File),
}

/// A command that has not run yet.
#[derive(Debug)]
#[must_use]
pub(super) struct GitCommand {
    host: Arc<dyn HostPrograms>,
    command: Command,
    name: String,
    arguments: Vec<OsString>,
    input: CommandInput,
    output_file: Option<File>,
    output_bytes_max: usize,
    duration_max: Duration,
}

/// The output of a command that has exited.
#[derive(Debug)]
pub(super) struct GitOutput {
    name: String,
    status: ExitStatus,
    /// Whether the output was truncated.
    pub(super) is_cut: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl GitCommand {
    /// Adds a configuration setting.
    pub(super) fn with_config(mut self, setting: &str) -> Self {
        self.command.args(["-c", setting]);
        self
    }

    /// Sets an environment variable.
    pub(super) fn with_variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Uses another index file than the worktree's own.
    pub(super) fn with_index_file(self, file: &Path) -> Self {
        self.with_variable("GIT_INDEX_FILE", file).with_config("core.splitIndex=false")
    }

    /// Adds an argument.
    pub(super) fn with_argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Keeps programs that the command starts, such as those that sign, from asking for a passphrase for long.
    pub(super) fn without_prompts(mut self) -> Self {
        for variable in ["GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY"] {
            self.command.env_remove(variable);
        }
        self.duration_max = SIGNING_LIMIT;
        self.with_variable("SSH_ASKPASS", "false").with_variable("SSH_ASKPASS_REQUIRE", "force")
    }

    /// Sets a shorter time limit.
    pub(super) fn with_time_limit(mut self, limit: Duration) -> Self {
        self.duration_max = limit;
        self
    }

    /// Sets the input.
    pub(super) fn with_stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = CommandInput::Bytes(bytes.into());
        self
    }

    /// Lets the command hold a lock together with us.
    pub(super) fn with_lock(mut self, lock: File) -> Self {
        self.input = CommandInput::Lock(lock);
        self
    }

    /// Truncates output above this limit; otherwise too much output is an error.
    pub(super) fn truncate_stdout_at(mut self, bytes_max: usize) -> Self {
        self.output_bytes_max = bytes_max;
        self
    }

    /// Runs the command and returns its output; any exit code except 0 is an error.
    pub(super) fn read_stdout(self) -> Result<Vec<u8>, GitError> {
        self.run_successfully().map(|output| output.stdout)
    }

    /// Runs the command and parses its output; any exit code except 0 is an error.
    pub(super) fn read_parsed<T>(self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, GitError> {
        let output = self.run_successfully()?;
        parse(&output.stdout).ok_or_else(|| output.into_unreadable())
    }

    /// Runs the command and parses its output; returns `None` for exit code 1, with which git says no.
    pub(super) fn read_optional<T>(
        self,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, GitError> {
        let output = self.run_to_output()?;
        match output.exit_code() {
            Some(0) => parse(&output.stdout).map(Some).ok_or_else(|| output.into_unreadable()),
            Some(1) => Ok(None),
            _ => Err(output.into_error()),
        }
    }

    /// Runs the command with its output written to a file; any exit code except 0 is an error.
    pub(super) fn write_stdout_to(mut self, file: File) -> Result<(), GitError> {
        self.output_file = Some(file);
        self.read_stdout().map(drop)
    }

    /// Runs the command; any exit code except 0 is an error.
    pub(super) fn run_successfully(self) -> Result<GitOutput, GitError> {
        let output = self.run_to_output()?;
        if output.exit_code() == Some(0) { Ok(output) } else { Err(output.into_error()) }
    }

    /// Runs the command and returns its output with any exit code.
    pub(super) fn run_to_output(mut self) -> Result<GitOutput, GitError> {
        let (stdin, input) = match std::mem::replace(&mut self.input, CommandInput::Nothing) {
            CommandInput::Nothing => (Stdio::null(), Vec::new()),
            CommandInput::Bytes(bytes) => (Stdio::piped(), bytes),
            CommandInput::Lock(lock) => (Stdio::from(lock), Vec::new()),
        };
        self.spawn_with_stdin(stdin)?.finish(&input)
    }

    /// Starts the command with an open stdin.
    pub(super) fn start(self) -> Result<RunningCommand, GitError> {
        self.spawn_with_stdin(Stdio::piped())
    }

    fn spawn_with_stdin(mut self, stdin: Stdio) -> Result<RunningCommand, GitError> {
        let stdout = self.output_file.take().map_or_else(Stdio::piped, Stdio::from);
        self.command.args(&self.arguments).stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        let child = self.command.spawn().map_err(|error| spawn_error(&self.command, error))?;
        Ok(RunningCommand {
            host: self.host,
            child,
            name: self.name,
            output_bytes_max: self.output_bytes_max,
            duration_max: self.duration_max,
        })
    }
}

/// A command that runs, and reads its stdin until it is closed.
#[derive(Debug)]
#[must_use = "a command must be waited for"]
pub(super) struct RunningCommand {
    host: Arc<dyn HostPrograms>,
    child: Child,
    name: String,
    output_bytes_max: usize,
    duration_max: Duration,
}

impl RunningCommand {
    /// Writes input, and waits until the output ends with a line; `false` if the command ended its output without it.
    ///
    /// The input must fit into a pipe.
    pub(super) fn exchange(&mut self, input: &[u8], line: &[u8]) -> Result<bool, GitError> {
        let failed = GitError::io("communicate with", "git");
        let (Some(stdin), Some(stdout)) = (&mut self.child.stdin, &mut self.child.stdout) else {
            return Ok(false);
        };
        // A command that has exited already says on stderr why.
        if stdin.write_all(input).is_err() {
            return Ok(false);
        }
        let deadline = Instant::now() + GIT_COMMAND_LIMIT;
        let (mut output, mut buffer) = (Vec::new(), [0; 512]);
        while !output.ends_with(line) {
            if !wait_until_readable(stdout.as_fd(), deadline) {
                return Err(GitError::TimedOut(self.name.clone()));
            }
            match stdout.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => output.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(true)
    }

    /// Writes the rest of the input, closes stdin and waits for the exit.
    pub(super) fn finish(self, input: &[u8]) -> Result<GitOutput, GitError> {
        let limits = ProgramLimits {
            stdout_bytes_max: self.output_bytes_max,
            stderr_bytes_max: GIT_STDERR_BYTES_MAX,
            duration_max: self.duration_max,
        };
        let output = self
            .host
            .communicate(self.child, input, limits)
            .map_err(GitError::io("communicate with", "git"))?;
        let (status, is_cut) = match output.status {
            Ok(status) => (status, false),
            Err(ExceededLimit::Output) if self.output_bytes_max < GIT_OUTPUT_BYTES_MAX => {
                (ExitStatus::from_raw(0), true)
            }
            Err(ExceededLimit::Output) => return Err(GitError::TooMuchOutput(self.name)),
            Err(ExceededLimit::Duration) => return Err(GitError::TimedOut(self.name)),
        };
        let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Ok(GitOutput { name: self.name, status, is_cut, stdout: output.stdout, stderr })
    }
}

/// Waits until a file is readable; `false` at the deadline.
fn wait_until_readable(file: std::os::fd::BorrowedFd<'_>, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left.min(Duration::from_secs(60))).ok();
        let mut polled = [PollFd::from_borrowed_fd(file, PollFlags::IN)];
        // An interrupted call counts as a timeout.
        if rustix::event::poll(&mut polled, timeout.as_ref()).is_ok_and(|ready| ready > 0) {
            return true;
        }
        if left.is_zero() {
            return false;
        }
    }
}

impl GitOutput {
    /// Returns the exit code; `None` if a signal terminated the command.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the error that the exit code and stderr describe.
    pub(super) fn into_error(self) -> GitError {
        if let Some(path) = lock_file::parse_existing_lock(&self.stderr) {
            let age = lock_file::age_of_file(&path);
            let Self { name: command, status, stderr, .. } = self;
            return GitError::LockExists { command, status, stderr, path, age };
        }
        let cause = GitFailureCause::from_stderr(&self.stderr);
        GitError::Failed { command: self.name, status: self.status, stderr: self.stderr, cause }
    }

    /// Returns the error for output that could not be parsed.
    pub(super) fn into_unreadable(self) -> GitError {
        GitError::Unreadable(self.name)
    }
}

/// Splits the NUL-terminated entries that many commands print.
pub(super) fn split_nul(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|entry| !entry.is_empty())
}

/// Tells a missing working directory from a missing program, which the system does not.
fn spawn_error(command: &Command, error: std::io::Error) -> GitError {
    match command.get_current_dir() {
        Some(folder) if !folder.is_dir() => GitError::NotAWorktree(folder.to_owned()),
        _ => GitError::io("start", command.get_program())(error),
    }
}

/// Returns the name of a command in errors.
fn command_name(arguments: &[OsString]) -> String {
    let words_max = if arguments.first().is_some_and(|first| first == "worktree") { 2 } else { 1 };
    let words: Vec<_> = arguments.iter().take(words_max).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::test_host::TestHost;
    use orch_process::EnvironmentVariables;

    /// Creates a folder with a `git` that is this shell script.
    fn fake_git(script: &str) -> (tempfile::TempDir, TestHost) {
        let folder = tempfile::tempdir().unwrap();
        let (text, program) = (folder.path().join("text"), folder.path().join("git"));
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Written by another process: a child of a concurrent test may still hold a file open that we write, which then
        // cannot be executed.
        assert!(Command::new("cp").args([&text, &program]).status().unwrap().success());
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = EnvironmentVariables::empty().with_variable("PATH", folder.path());
        (folder, TestHost(environment))
    }

    #[test]
    fn an_old_git_is_rejected_with_its_version() {
        let (_folder, host) = fake_git("echo git version 2.37.9");
        let error = Git::find_installed(host).unwrap_err();
        assert_eq!(error.to_string(), "git 2.37.9 is too old, at least 2.38 is needed");
        let (_folder, host) = fake_git("echo hello");
        assert!(matches!(Git::find_installed(host), Err(GitError::TooOld(found)) if found == "hello"));
    }

    #[test]
    fn a_missing_git_is_an_error_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let environment = EnvironmentVariables::empty().with_variable("PATH", folder.path());
        assert!(matches!(Git::find_installed(TestHost(environment)), Err(GitError::NotInstalled)));
    }

    #[test]
    fn commands_never_prompt_and_start_no_background_process() {
        let (_folder, host) = fake_git(
            "case \"$*\" in *version*) echo git version 2.40.0;; \
             *) echo \"$GIT_TERMINAL_PROMPT$GIT_OPTIONAL_LOCKS $GIT_PAGER $GIT_EDITOR $LC_ALL $LEAK\"; \
             echo \"$@\"; esac",
        );
        let git = Git::find_installed(TestHost(host.0.with_variable("LEAK", "seen"))).unwrap();
        let answer = git
            .command_in(&CommandScope::Nowhere, ["status", "--short"])
            .with_config("a.b=c")
            .read_stdout()
            .unwrap();
        let text = String::from_utf8(answer).unwrap();
        assert!(text.starts_with("00 cat : C seen\n"), "{text}");
        assert!(
            text.contains(
                "-c core.hooksPath=/dev/null -c core.fsmonitor=false -c index.skipHash=false -c gc.auto=0"
            ),
            "{text}"
        );
        assert!(text.ends_with("-c a.b=c status --short\n"), "{text}");
    }

    #[test]
    fn a_failure_names_its_command_and_truncates_stderr() {
        let (folder, host) = fake_git(
            "case \"$*\" in *version*) echo git version 2.40.0;; *) head -c 9999 /dev/zero | tr '\\0' x >&2; exit 9; esac",
        );
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let git = Git::find_installed(TestHost(host.0.with_variable("PATH", path))).unwrap();
        match git.command_in(&CommandScope::Nowhere, ["worktree", "add", "x"]).read_stdout() {
            Err(GitError::Failed { command, status, stderr, cause: GitFailureCause::Other }) => {
                assert_eq!((command.as_str(), status.code(), stderr.len()), ("worktree add", Some(9), 2_000));
            }
            other => panic!("{other:?}"),
        }
    }
}
