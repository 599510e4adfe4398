//! A folder with a store of its own, and the built programs to call in it.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::hint_lines::check_hints;
use crate::schema::schema_violations;

/// A line of a shell that runs its arguments under the permissions of files, which do not stop the superuser otherwise.
pub(crate) const UNDER_PERMISSIONS: &str = r#"if [ "$(id -u)" = 0 ]; then
    exec setpriv --bounding-set=-dac_override,-dac_read_search "$@"
fi
exec "$@""#;

/// A folder, outside any repository, that goes away with the test.
pub(crate) struct TestEnvironment {
    folder: tempfile::TempDir,
    ground: Option<RepoEnvironment>,
}

/// Where calls are made that have to do with git, and what they see.
pub(crate) struct RepoEnvironment {
    /// The folder.
    pub(crate) top: PathBuf,
    /// More variables.
    pub(crate) variables: Vec<(&'static str, OsString)>,
}

impl TestEnvironment {
    /// A folder without a store.
    pub(crate) fn without_store() -> Self {
        let folder = tempfile::tempdir().unwrap();
        require_outside(folder.path());
        Self { folder, ground: None }
    }

    /// The same place, in which calls are made on this ground.
    pub(crate) fn with_repo_environment(self, ground: RepoEnvironment) -> Self {
        Self { ground: Some(ground), ..self }
    }

    /// The ground that calls are made on.
    pub(crate) fn repo_environment(&self) -> &RepoEnvironment {
        self.ground.as_ref().unwrap()
    }

    /// A folder with a new store.
    pub(crate) fn new() -> Self {
        let place = Self::without_store();
        place.inbox(&["init"]).ok();
        place
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder.
    pub(crate) fn write_file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A call of `inbox`.
    pub(crate) fn inbox(&self, arguments: &[&str]) -> CliInvocation {
        self.program_call("inbox", env!("CARGO_BIN_EXE_inbox"), arguments)
    }

    /// A call of `orch`.
    pub(crate) fn orch(&self, arguments: &[&str]) -> CliInvocation {
        self.program_call("orch", env!("CARGO_BIN_EXE_orch"), arguments)
    }

    /// A line of a shell.
    pub(crate) fn shell(&self, line: &str) -> CliInvocation {
        self.program_call("inbox", "/bin/sh", &["-c", line])
    }

    /// Sends work to `queue` and returns the thread's name.
    pub(crate) fn send_work(&self, queue: &str) -> String {
        let sent = self
            .inbox(&["send", "--to", queue, "--from", "lead", "--subject", "Do it", "--body", "All of it."])
            .ok();
        sent["thread"]["id"].as_str().unwrap().to_owned()
    }

    /// Claims from `queue` as `holder`.
    pub(crate) fn claim_work(&self, queue: &str, holder: &str) -> ClaimedThread {
        ClaimedThread::from_claim(&self.inbox(&["claim", "--for", queue, "--as", holder]).ok())
    }

    fn program_call(&self, program: &'static str, binary: &str, arguments: &[&str]) -> CliInvocation {
        let mut command = Command::new(binary);
        command.current_dir(self.path()).env_clear().env("TZ", "UTC").args(arguments);
        if let Some(ground) = &self.ground {
            command.current_dir(&ground.top).envs(ground.variables.iter().map(|(name, value)| (name, value)));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        CliInvocation { program, line: format!("{program} {}", arguments.join(" ")), command, stdin: None }
    }
}

/// Refuses a folder that lies in a repository or below a store: commands would find those instead of what a test made.
fn require_outside(folder: &Path) {
    for ancestor in folder.ancestors() {
        for found in [".git/HEAD", ".orch/orch.db"].map(|name| ancestor.join(name)) {
            assert!(!found.exists(), "{} is there: set TMPDIR to a folder elsewhere", found.display());
        }
    }
}

/// A claimed thread and its token.
pub(crate) struct ClaimedThread {
    pub(crate) thread: String,
    pub(crate) token: String,
}

impl ClaimedThread {
    /// From what `claim` answered.
    pub(crate) fn from_claim(data: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { thread: text(&data["thread"]["id"]), token: text(&data["lease"]["token"]) }
    }
}

/// A call that has not been made yet.
pub(crate) struct CliInvocation {
    program: &'static str,
    line: String,
    command: Command,
    stdin: Option<Vec<u8>>,
}

impl CliInvocation {
    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Adds an argument that need not be UTF-8.
    pub(crate) fn raw_argument(mut self, argument: &std::ffi::OsStr) -> Self {
        self.command.arg(argument);
        self
    }

    /// Gives stdin.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self.command.stdin(Stdio::piped());
        self
    }

    /// Leaves stdin open for the caller to write to.
    pub(crate) fn with_open_stdin(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Reads this file or terminal.
    pub(crate) fn with_stdin(mut self, file: std::fs::File) -> Self {
        self.command.stdin(file);
        self
    }

    /// Prints to this file or terminal instead.
    pub(crate) fn with_stdout(mut self, file: std::fs::File) -> Self {
        self.command.stdout(file);
        self
    }

    /// Changes the working folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Makes the call and waits for its end.
    pub(crate) fn run(self) -> CliOutput {
        self.start().wait_output()
    }

    /// Makes the call, which must succeed, and returns what it printed, byte for byte, and said beside it.
    pub(crate) fn raw_output(self) -> (Vec<u8>, String) {
        let output = self.start().child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (output.stdout, String::from_utf8(output.stderr).unwrap())
    }

    /// Begins the call.
    pub(crate) fn start(mut self) -> RunningInvocation {
        let mut child = self.command.spawn().unwrap();
        if let Some(text) = self.stdin
            && let Err(error) = child.stdin.take().unwrap().write_all(&text)
        {
            // A program that has read enough may close its end first.
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        RunningInvocation { program: self.program, line: self.line, child }
    }

    /// Makes the call, which must succeed, and returns `data`.
    pub(crate) fn ok(self) -> Value {
        self.run().ok()
    }

    /// Makes the call, which must fail with this code, and returns `error`.
    pub(crate) fn fails(self, code: &str) -> Value {
        self.run().fails(code)
    }

    /// Makes the call with text output, which must succeed, and returns stdout.
    pub(crate) fn text(mut self) -> String {
        self.command.arg("--text");
        let printed = self.run();
        assert_eq!(printed.exit, 0, "{printed:?}");
        printed.stdout
    }
}

/// A call under way.
pub(crate) struct RunningInvocation {
    program: &'static str,
    line: String,
    pub(crate) child: Child,
}

impl RunningInvocation {
    /// Waits for its end.
    pub(crate) fn wait_output(self) -> CliOutput {
        let output = self.child.wait_with_output().unwrap();
        let exit = output.status.code().unwrap_or(-1);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        CliOutput {
            program: self.program,
            line: self.line,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            exit,
        }
    }
}

/// What a call printed.
#[derive(Debug)]
pub(crate) struct CliOutput {
    program: &'static str,
    pub(crate) line: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: i32,
}

impl CliOutput {
    /// The one document on stdout, held to the envelope and to the command's schema.
    pub(crate) fn document(&self) -> Value {
        let mut documents = self.documents();
        assert_eq!(documents.len(), 1, "not one line: {self:?}");
        documents.remove(0)
    }

    /// Every document on stdout, one per line, held to the envelope and to the command's schema.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let lines = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no whole line: {self:?}"));
        lines.lines().map(|line| self.check_schema(line)).collect()
    }

    fn check_schema(&self, line: &str) -> Value {
        let document: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let command = document["command"].as_str().unwrap();
        assert!(command.starts_with(self.program), "{self:?}");
        let broken = match SCHEMAS.get(command) {
            Some(schema) => schema_violations(schema, &document),
            None => {
                assert_eq!(document["ok"], false, "there is no schema for {command}: {self:?}");
                Vec::new()
            }
        };
        assert!(broken.is_empty(), "{}: {broken:#?}\n{line}", self.line);
        check_hints(&document);
        document
    }

    /// The whole document of a call that must have succeeded.
    pub(crate) fn ok_document(&self) -> Value {
        let document = self.document();
        assert_eq!(self.exit, 0, "{self:?}");
        assert_eq!(document["ok"], true, "{self:?}");
        document
    }

    /// `data` of a call that must have succeeded.
    pub(crate) fn ok(&self) -> Value {
        self.ok_document()["data"].clone()
    }

    /// `error` of a call that must have failed with this code and its exit status.
    pub(crate) fn fails(&self, code: &str) -> Value {
        let document = self.document();
        assert_eq!(document["ok"], false, "{self:?}");
        let error = document["error"].clone();
        assert_eq!(error["code"], code, "{self:?}");
        let known = orch_contract::ErrorCode::ALL.iter().find(|known| known.name() == code).unwrap();
        assert_eq!(self.exit, i32::from(known.exit_status()), "{self:?}");
        assert!(error["message"].as_str().unwrap().ends_with(['.', '?', '!']), "{error}");
        error
    }
}

static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut schemas = orch_contract::schema::inbox_schemas();
    schemas.append(&mut orch_contract::schema::orch_schemas());
    schemas
});
