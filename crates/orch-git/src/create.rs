//! Making a repository that is nobody's but ours.

use std::ffi::OsStr;
use std::path::Path;

use super::program::{CommandScope, GitCommand};
use super::{Git, GitError};

/// Who commits in it, whatever the user is called.
const IDENTITY: [(&str, &str); 2] = [("user.name", "orch"), ("user.email", "orch@localhost")];

/// What the user has for all repositories and must not have a hand in this one: hooks, signatures, ignored files,
/// and what git would start in the background.
const APART: [(&str, &str); 9] = [
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
    /// Makes a repository of a folder, with everything in it as the first commit of its branch `main`; the user's own
    /// settings count neither now nor for those who work in it.
    ///
    /// # Errors
    /// Git cannot.
    pub fn create_repository(&self, folder: &Path, message: &str) -> Result<(), GitError> {
        let run = |arguments: &[&str]| self.isolated_command(folder, arguments).read_stdout().map(drop);
        run(&["init", "--quiet", "--initial-branch=main", "--template="])?;
        for (name, value) in IDENTITY.iter().chain(&APART) {
            run(&["config", name, value])?;
        }
        run(&["add", "--all"])?;
        run(&["commit", "--quiet", "--message", message])
    }

    /// A command that sees no settings but ours and the repository's.
    fn isolated_command<I>(&self, folder: &Path, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let call = self.command_in(&CommandScope::Search(folder), arguments);
        call.with_variable("GIT_CONFIG_GLOBAL", "/dev/null").with_variable("GIT_CONFIG_NOSYSTEM", "1")
    }
}
