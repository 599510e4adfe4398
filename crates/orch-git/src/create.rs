//! Creating a repository that ignores the user's configuration.

use std::ffi::OsStr;
use std::path::Path;

use super::error::GitError;
use super::program::{CommandScope, Git, GitCommand};

/// The identity that commits in it.
const IDENTITY: [(&str, &str); 2] = [("user.name", "orch"), ("user.email", "orch@localhost")];

/// Settings that override the user's global ones: hooks, signatures, ignored files and background processes.
const ISOLATION: [(&str, &str); 9] = [
    ("core.hooksPath", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.autocrlf", "false"),
    ("core.fsmonitor", "false"),
    ("commit.gpgSign", "false"),
    ("merge.conflictStyle", "merge"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
];

impl Git {
    /// Creates a repository in a folder and commits everything in it to the branch `main`.
    ///
    /// The user's global configuration applies neither now nor to later commands in it.
    pub fn create_repository(&self, folder: &Path, message: &str) -> Result<(), GitError> {
        let run = |arguments: &[&str]| self.isolated_command(folder, arguments).read_stdout().map(drop);
        run(&["init", "--quiet", "--initial-branch=main", "--template="])?;
        for (name, value) in IDENTITY.iter().chain(&ISOLATION) {
            run(&["config", name, value])?;
        }
        run(&["add", "--all"])?;
        run(&["commit", "--quiet", "--message", message])
    }

    /// Builds a command without the user's global configuration.
    fn isolated_command<I>(&self, folder: &Path, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let command = self.command_in(&CommandScope::Search(folder), arguments);
        command.with_variable("GIT_CONFIG_GLOBAL", "/dev/null").with_variable("GIT_CONFIG_NOSYSTEM", "1")
    }
}
