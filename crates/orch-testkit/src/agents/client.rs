//! Locates the agent clients and configures them to talk to the scripted model only.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::RunningProcess;

/// Time limit for a client to print its version.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A coding agent's command line client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// OpenAI's Codex CLI.
    Codex,
    /// Anthropic's Claude Code.
    Claude,
}

/// An installed client that starts.
#[derive(Clone, Debug)]
pub struct InstalledClient {
    /// The client's kind.
    pub client: Client,
    /// The version that the client prints.
    pub version: String,
    /// Why the client's own sandbox does not work on this machine, if it has one.
    pub no_sandbox: Option<String>,
    /// Folders to prepend to `PATH`: first the client's, then ours.
    folders: Vec<PathBuf>,
    pub(super) programs: PathBuf,
}

impl Client {
    /// All supported clients.
    pub const ALL: [Self; 2] = [Self::Codex, Self::Claude];

    /// Returns the name of the client's profile and program.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Claude => "claude",
        }
    }

    /// Finds a client by its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }

    /// Returns the shell command with which a script commits `{name}`; empty if the profile commits by itself.
    pub(super) fn commit_command(self) -> &'static str {
        match self {
            Self::Codex => "",
            Self::Claude => "git add --all && git commit --quiet -m 'work on {name}' && ",
        }
    }

    /// Returns the subject of the commit that a task ends with.
    pub(super) fn commit_subject(self, task: &str) -> String {
        match self {
            Self::Codex => format!("Task {task}"),
            Self::Claude => format!("work on {task}"),
        }
    }

    /// Finds the folder of the client's native program below `node_modules`.
    /// The launcher that npm installs is a separate process, which can be killed without killing the client.
    fn native_folder(self, modules: &Path) -> Option<PathBuf> {
        let (scope, prefix) = match self {
            Self::Codex => ("@openai", "codex-"),
            Self::Claude => ("@anthropic-ai", "claude-code-"),
        };
        let platform = subfolders_of(&modules.join(scope)).find(|folder| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        })?;
        let candidates: Vec<PathBuf> = match self {
            Self::Codex => subfolders_of(&platform.join("vendor")).map(|folder| folder.join("bin")).collect(),
            Self::Claude => vec![platform],
        };
        candidates.into_iter().find(|folder| folder.join(self.name()).is_file())
    }

    /// Writes the client's settings into its home folder.
    pub(super) fn write_settings(self, home: &Path, model: &str) {
        match self {
            Self::Codex => {
                let config = format!(
                    "model = \"mock\"\nmodel_provider = \"mock\"\n\n\
                    # Temporary folders are open by default, and the repository is in one.\n\
                    [sandbox_workspace_write]\nexclude_slash_tmp = true\nexclude_tmpdir_env_var = true\n\n\
                    [model_providers.mock]\nname = \"mock\"\nbase_url = \"{model}/v1\"\nwire_api = \"responses\"\n\
                    env_key = \"OPENAI_API_KEY\"\nrequest_max_retries = 2\nstream_max_retries = 2\n"
                );
                crate::test_repo::write_file_at(&home.join(".codex/config.toml"), config);
            }
            Self::Claude => {}
        }
    }

    /// Returns the environment variables that configure the client.
    pub(super) fn environment_variables(self, model: &str) -> Vec<(&'static str, OsString)> {
        let own: &[(&'static str, &str)] = match self {
            Self::Codex => &[("OPENAI_API_KEY", "none")],
            Self::Claude => &[
                ("ANTHROPIC_BASE_URL", model),
                ("ANTHROPIC_API_KEY", "none"),
                ("ANTHROPIC_MODEL", "mock"),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ],
        };
        // The model is the proxy for all other hosts and refuses to connect to them.
        let others = [("HTTPS_PROXY", model), ("HTTP_PROXY", model), ("NO_PROXY", "127.0.0.1,localhost")];
        own.iter().copied().chain(others).map(|(name, value)| (name, value.into())).collect()
    }
}

impl InstalledClient {
    /// Finds a client in a `node_modules` folder and starts it once to read its version.
    ///
    /// # Errors
    /// The client is not installed there, or does not start.
    pub fn find_in(client: Client, modules: &Path, programs: &Path) -> Result<Self, String> {
        let folder = client.native_folder(modules).unwrap_or_else(|| modules.join(".bin"));
        let programs = programs.to_owned();
        let folders = vec![folder, programs.clone()];
        let mut found = Self { client, version: String::new(), no_sandbox: None, folders, programs };
        found.version = found.run_and_capture(&["--version"])?;
        if client == Client::Codex {
            found.no_sandbox = found.run_and_capture(&["sandbox", "--", "true"]).err();
        }
        Ok(found)
    }

    /// Returns the path of the client's program.
    #[must_use]
    pub fn program_path(&self) -> PathBuf {
        self.folders[0].join(self.client.name())
    }

    /// Returns the `PATH` that finds the client and our programs.
    pub(super) fn search_path(&self) -> OsString {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let all = self.folders.iter().cloned().chain(std::env::split_paths(&inherited));
        std::env::join_paths(all).unwrap_or(inherited)
    }

    /// Runs the client with these arguments in a temporary home folder and returns its output.
    fn run_and_capture(&self, words: &[&str]) -> Result<String, String> {
        let home = tempfile::tempdir().map_err(|error| format!("there is no room: {error}."))?;
        let name = self.client.name();
        let mut command = Command::new(self.program_path());
        command.args(words).env_clear().env("PATH", self.search_path()).env("HOME", home.path());
        command.current_dir(home.path()).stdin(Stdio::null());
        if !self.program_path().is_file() {
            return Err(format!("{} does not exist.", self.program_path().display()));
        }
        let ended = RunningProcess::start(command).wait_or_kill(START_LIMIT);
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned());
        }
        let why = ended.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        Err(format!("`{name} {}` ended with {}: {why}", words.join(" "), ended.status))
    }
}

/// Lists the subfolders of a folder, sorted by name.
fn subfolders_of(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_program_is_preferred_to_its_launcher() {
        let place = tempfile::tempdir().unwrap();
        let modules = place.path();
        for path in [
            "@openai/codex/bin/codex.js",
            "@openai/codex-os-cpu/package.json",
            "@openai/codex-os-cpu/vendor/cpu-os/bin/codex",
            "@anthropic-ai/claude-code/bin/claude.exe",
            "@anthropic-ai/claude-code-os-cpu/claude",
        ] {
            crate::test_repo::write_file_at(&modules.join(path), "");
        }
        let native =
            |client: Client| client.native_folder(modules).unwrap().strip_prefix(modules).unwrap().to_owned();
        assert_eq!(native(Client::Codex), Path::new("@openai/codex-os-cpu/vendor/cpu-os/bin"));
        assert_eq!(native(Client::Claude), Path::new("@anthropic-ai/claude-code-os-cpu"));
        fs::remove_dir_all(modules.join("@openai/codex-os-cpu")).unwrap();
        assert_eq!(Client::Codex.native_folder(modules), None);
    }
}
