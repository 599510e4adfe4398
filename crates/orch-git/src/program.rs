//! The `git` program: where it is, how old it is, and how each of its commands is run.
//!
//! Every command gets a clean environment and settings under which it asks nobody, pages nothing,
//! starts nothing in the background and runs none of the user's hooks.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::error::GitFailureCause;
use super::{GitError, version};
use crate::limit::{GIT_COMMAND_LIMIT, GIT_OUTPUT_BYTES_MAX, GIT_STDERR_BYTES_MAX, GIT_VERSION_MIN};
use orch_process::EnvironmentVariables;
use orch_process::communicate::{CommandLimits, ProgramEnd, communicate};

/// Settings of every command, in front of the user's.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    // Together with a split index git loses the files that it has just checked out.
    "index.skipHash=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    // Somebody else's command holds these for an instant; git gives up after a tenth of a second.
    "core.filesRefLockTimeout=10000",
    "core.packedRefsTimeout=10000",
    "worktree.guessRemote=false",
];

/// Variables of every command.
const VARIABLES: [(&str, &str); 8] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", ":"),
    ("GIT_SEQUENCE_EDITOR", ":"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    // A look never takes the lock that the worker's own git may want.
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ADVICE", "0"),
    ("LC_ALL", "C"),
];

/// The installed git, known to be new enough.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    environment: EnvironmentVariables,
}

impl Git {
    /// Finds git on the `PATH` of this environment, which all its commands will see.
    ///
    /// # Errors
    /// `NotInstalled`, or `TooOld`.
    pub fn find_installed(environment: EnvironmentVariables) -> Result<Self, GitError> {
        let program = environment.find_program("git").ok_or(GitError::NotInstalled)?;
        let git = Self { program, environment };
        let answer = git.command_in(&CommandScope::Nowhere, ["version"]).read_stdout()?;
        let text = String::from_utf8_lossy(&answer);
        match version::parse_version(&text) {
            Some(found) if found >= GIT_VERSION_MIN => Ok(git),
            _ => {
                let found = text.trim().trim_start_matches("git version ").to_owned();
                Err(GitError::TooOld { found })
            }
        }
    }

    /// Where the user keeps a file for all repositories.
    pub(super) fn user_config_file(&self, name: &str) -> Option<PathBuf> {
        let set = |variable: &str| self.environment.get(variable).filter(|value| !value.is_empty());
        let folder = match set("XDG_CONFIG_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(set("HOME")?).join(".config"),
        };
        Some(folder.join("git").join(name))
    }

    /// Prepares a command.
    pub(super) fn command_in<I>(&self, place: &CommandScope<'_>, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let arguments: Vec<OsString> =
            arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let mut command = Command::new(&self.program);
        self.environment.apply_to(&mut command);
        command.envs(VARIABLES);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        place.apply_to(&mut command);
        let name = command_name(&arguments);
        GitCommand {
            command,
            name,
            arguments,
            input: CommandInput::Nothing,
            output_file: None,
            output_bytes_max: GIT_OUTPUT_BYTES_MAX,
        }
    }
}

/// Which repository and which files a command is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum CommandScope<'a> {
    /// None.
    Nowhere,
    /// Whichever is found from here upwards.
    Search(&'a Path),
    /// This repository, and no files.
    Repository(&'a Path),
    /// This repository, and these files: named both, so that a worktree that has lost its `.git` is an
    /// error, and not a command let loose on the repository around it.
    Worktree { git_dir: &'a Path, top: &'a Path },
}

impl CommandScope<'_> {
    fn apply_to(&self, command: &mut Command) {
        let flag = |name: &str, path: &Path| {
            let mut flag = OsString::from(name);
            flag.push(path);
            flag
        };
        match self {
            Self::Nowhere => {}
            Self::Search(folder) => {
                command.current_dir(folder);
            }
            Self::Repository(git_dir) => {
                command.current_dir(git_dir).arg(flag("--git-dir=", git_dir));
            }
            Self::Worktree { git_dir, top } => {
                command.current_dir(top).arg(flag("--git-dir=", git_dir)).arg(flag("--work-tree=", top));
            }
        }
    }
}

/// What a command reads.
#[derive(Debug)]
enum CommandInput {
    Nothing,
    Bytes(Vec<u8>),
    /// A lock: it is held as long as the command runs, even if we do not.
    Lock(File),
}

/// A command that has not run yet.
#[derive(Debug)]
#[must_use]
pub(super) struct GitCommand {
    command: Command,
    name: String,
    arguments: Vec<OsString>,
    input: CommandInput,
    output_file: Option<File>,
    output_bytes_max: usize,
}

/// What a command answered.
#[derive(Debug)]
pub(super) struct GitOutput {
    name: String,
    status: ExitStatus,
    /// Whether there was more than was read.
    pub(super) is_cut: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl GitCommand {
    /// Gives it one more setting, in front of the user's.
    pub(super) fn with_config(mut self, setting: &str) -> Self {
        self.command.args(["-c", setting]);
        self
    }

    /// Gives it one more variable.
    pub(super) fn with_variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it an index other than the worktree's own.
    pub(super) fn with_index_file(self, file: &Path) -> Self {
        self.with_variable("GIT_INDEX_FILE", file).with_config("core.splitIndex=false")
    }

    /// Gives it this to read.
    pub(super) fn with_stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = CommandInput::Bytes(bytes.into());
        self
    }

    /// Lets it hold a lock together with us.
    pub(super) fn with_lock(mut self, lock: File) -> Self {
        self.input = CommandInput::Lock(lock);
        self
    }

    /// Reads at most so much of its answer; more is cut off instead of being an error.
    pub(super) fn truncate_stdout_at(mut self, bytes_max: usize) -> Self {
        self.output_bytes_max = bytes_max;
        self
    }

    /// Runs it and gives its output, if it succeeds.
    pub(super) fn read_stdout(self) -> Result<Vec<u8>, GitError> {
        let answer = self.run_to_output()?;
        if answer.exit_code() == Some(0) { Ok(answer.stdout) } else { Err(answer.into_error()) }
    }

    /// Runs it and lets it write into a file, if it succeeds.
    pub(super) fn write_stdout_to(mut self, file: File) -> Result<(), GitError> {
        self.output_file = Some(file);
        self.read_stdout().map(drop)
    }

    /// Runs it and gives its output as one line of text, if it succeeds.
    pub(super) fn read_line(self) -> Result<String, GitError> {
        let name = self.name.clone();
        let mut output = self.read_stdout()?;
        if output.last() == Some(&b'\n') {
            output.pop();
        }
        String::from_utf8(output).map_err(|_| GitError::Unreadable { command: name })
    }

    /// Why it could not be started: the system does not say whether the program or its folder is missing.
    fn spawn_error(&self, error: std::io::Error, program: PathBuf) -> GitError {
        match self.command.get_current_dir() {
            Some(folder) if !folder.is_dir() => GitError::NotAWorktree { path: folder.to_owned() },
            _ => GitError::io("start", program)(error),
        }
    }

    /// Runs it, whatever it says.
    pub(super) fn run_to_output(mut self) -> Result<GitOutput, GitError> {
        let (stdin, input) = match std::mem::replace(&mut self.input, CommandInput::Nothing) {
            CommandInput::Nothing => (Stdio::null(), Vec::new()),
            CommandInput::Bytes(bytes) => (Stdio::piped(), bytes),
            CommandInput::Lock(lock) => (Stdio::from(lock), Vec::new()),
        };
        let stdout = self.output_file.take().map_or_else(Stdio::piped, Stdio::from);
        self.command.args(&self.arguments).stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        let program = PathBuf::from(self.command.get_program());
        let child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => return Err(self.spawn_error(error, program)),
        };
        let bounds = CommandLimits {
            stdout_bytes_max: self.output_bytes_max,
            stderr_bytes_max: GIT_STDERR_BYTES_MAX,
            limit: GIT_COMMAND_LIMIT,
        };
        let done = communicate(child, &input, bounds).map_err(GitError::io("talk to", program))?;
        let (status, is_cut) = match done.end {
            ProgramEnd::Status(status) => (status, false),
            ProgramEnd::OutputExceeded if self.output_bytes_max < GIT_OUTPUT_BYTES_MAX => {
                (ExitStatus::from_raw(0), true)
            }
            ProgramEnd::OutputExceeded => return Err(GitError::TooMuchOutput { command: self.name }),
            ProgramEnd::TimedOut => return Err(GitError::TimedOut { command: self.name }),
        };
        let stderr = String::from_utf8_lossy(&done.stderr).trim_end().to_owned();
        Ok(GitOutput { name: self.name, status, is_cut, stdout: done.stdout, stderr })
    }
}

impl GitOutput {
    /// Its exit status; `None` when a signal ended it.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The answer as a failure.
    pub(super) fn into_error(self) -> GitError {
        let cause = GitFailureCause::from_stderr(&self.stderr);
        GitError::Failed { command: self.name, status: self.status, stderr: self.stderr, cause }
    }

    /// The answer as one that makes no sense.
    pub(super) fn into_unreadable(self) -> GitError {
        GitError::Unreadable { command: self.name }
    }
}

/// What a command is called in an error.
fn command_name(arguments: &[OsString]) -> String {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let first = arguments.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let words_max = if first == "worktree" { 2 } else { 1 };
    words.take(words_max).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with a `git` that says this.
    fn fake_git(script: &str) -> (tempfile::TempDir, EnvironmentVariables) {
        let folder = tempfile::tempdir().unwrap();
        let (text, program) = (folder.path().join("text"), folder.path().join("git"));
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Another process writes it: while one of ours that a test has just started still holds it open, it could not run.
        assert!(Command::new("cp").args([&text, &program]).status().unwrap().success());
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = EnvironmentVariables::empty().with_variable("PATH", folder.path());
        (folder, environment)
    }

    #[test]
    fn an_old_git_is_refused_by_name() {
        let (_folder, environment) = fake_git("echo git version 2.37.9");
        let error = Git::find_installed(environment).unwrap_err();
        assert_eq!(error.to_string(), "git 2.37.9 is too old, at least 2.38 is needed");
        let (_folder, environment) = fake_git("echo hello");
        assert!(
            matches!(Git::find_installed(environment), Err(GitError::TooOld { found }) if found == "hello")
        );
    }

    #[test]
    fn no_git_is_its_own_error() {
        let folder = tempfile::tempdir().unwrap();
        let environment = EnvironmentVariables::empty().with_variable("PATH", folder.path());
        assert!(matches!(Git::find_installed(environment), Err(GitError::NotInstalled)));
    }

    #[test]
    fn each_command_asks_nobody_and_starts_nothing() {
        let (_folder, environment) = fake_git(
            "case \"$*\" in *version*) echo git version 2.40.0;; \
             *) echo \"$GIT_TERMINAL_PROMPT$GIT_OPTIONAL_LOCKS $GIT_PAGER $GIT_EDITOR $LC_ALL $LEAK\"; \
             echo \"$@\"; esac",
        );
        let git = Git::find_installed(environment.with_variable("LEAK", "seen")).unwrap();
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
    fn failures_are_short_and_named() {
        let (_folder, environment) = fake_git(
            "case \"$*\" in *version*) echo git version 2.40.0;; *) head -c 9999 /dev/zero | tr '\\0' x >&2; exit 9; esac",
        );
        let git = Git::find_installed(
            environment.with_variable("PATH", format!("{}:/usr/bin:/bin", _folder.path().display())),
        )
        .unwrap();
        match git.command_in(&CommandScope::Nowhere, ["worktree", "add", "x"]).read_stdout() {
            Err(GitError::Failed { command, status, stderr, cause: GitFailureCause::Other }) => {
                assert_eq!((command.as_str(), status.code(), stderr.len()), ("worktree add", Some(9), 2_000));
            }
            other => panic!("{other:?}"),
        }
    }
}
