//! The environment variables of a program.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::reexec;

/// The variables that bind git to one repository, as `git rev-parse --local-env-vars` lists them.
const REPOSITORY_VARIABLES: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The variables that workers and checks inherit: user, locale, network access, tool locations, and the user's git settings.
pub const INHERITED_VARIABLES: [&str; 41] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "XDG_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOPATH",
    "GOROOT",
    "JAVA_HOME",
    "NVM_DIR",
    "PYENV_ROOT",
    "RBENV_ROOT",
    "ASDF_DATA_DIR",
    "VIRTUAL_ENV",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_SSH_COMMAND",
    "GIT_LFS_SKIP_SMUDGE",
];

/// Returns whether a name is the one of a pattern, or begins with what stands before a final `*`.
#[must_use]
pub fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => name.starts_with(stem),
        None => name == pattern,
    }
}

/// The complete environment of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentVariables(Vec<(OsString, OsString)>);

impl EnvironmentVariables {
    /// Returns an environment without variables.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns the environment of this process without the variables of a re-exec and those that bind git to one repository.
    ///
    /// A git hook or alias that starts us sets the latter, which would point our git, and that of a check, to another
    /// repository or index.
    /// All other `GIT_*` are the user's settings, such as `GIT_CONFIG_GLOBAL`, and stay.
    #[must_use]
    pub fn inherit_sanitized() -> Self {
        let is_inherited = |(name, value): &(OsString, OsString)| {
            !REPOSITORY_VARIABLES.iter().any(|local| name == local)
                && !reexec::is_reexec_variable(name, value)
        };
        Self(std::env::vars_os().filter(is_inherited).collect())
    }

    /// Sets a variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let name = name.into();
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
        self
    }

    /// Removes all variables whose name has this prefix.
    #[must_use]
    pub fn without_prefix(mut self, prefix: &str) -> Self {
        self.0.retain(|(name, _)| !name.as_bytes().starts_with(prefix.as_bytes()));
        self
    }

    /// Keeps the variables that workers and checks inherit, and those that match one of these patterns.
    #[must_use]
    pub fn only_inherited(mut self, patterns: &[&str]) -> Self {
        // No pattern matches a name that is not UTF-8.
        let passes = |name: &str| {
            INHERITED_VARIABLES.iter().chain(patterns).any(|pattern| matches_name(pattern, name))
        };
        self.0.retain(|(name, _)| name.to_str().is_some_and(passes));
        self
    }

    /// Returns the value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// Returns all variables with their values.
    #[must_use]
    pub fn as_pairs(&self) -> &[(OsString, OsString)] {
        &self.0
    }

    /// Finds a program on this environment's `PATH`.
    ///
    /// A resolved path allows each start to use the cheap `posix_spawn`, which cannot search a changed `PATH`.
    #[must_use]
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.get("PATH")?)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|path| is_executable(path))
    }

    /// Replaces a command's environment by this one.
    pub fn apply_to(&self, command: &mut Command) {
        command.env_clear().envs(self.0.iter().map(|(name, value)| (name, value)));
    }
}

fn is_executable(path: &std::path::Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_variable_wins() {
        let environment = EnvironmentVariables::empty()
            .with_variable("A", "1")
            .with_variable("ORCH_RUN", "x")
            .with_variable("A", "2");
        assert_eq!(environment.get("A"), Some(OsStr::new("2")));
        assert_eq!(environment.without_prefix("ORCH_").get("ORCH_RUN"), None);
    }

    #[test]
    fn variables_that_bind_git_to_a_repository_are_not_inherited() {
        let names: Vec<OsString> =
            EnvironmentVariables::inherit_sanitized().0.into_iter().map(|(name, _)| name).collect();
        assert!(
            names.iter().all(|name| !REPOSITORY_VARIABLES.iter().any(|local| name == local)),
            "{names:?}"
        );
        // A newer git may list more; a variable that it no longer lists does no harm here.
        let git = EnvironmentVariables::inherit_sanitized().find_program("git").unwrap();
        let listed = Command::new(git).args(["rev-parse", "--local-env-vars"]).output().unwrap();
        for name in String::from_utf8(listed.stdout).unwrap().lines() {
            assert!(REPOSITORY_VARIABLES.contains(&name), "{name}");
        }
    }

    #[test]
    fn programs_are_found_on_the_path() {
        let environment =
            EnvironmentVariables::empty().with_variable("PATH", "nowhere:/nowhere:/bin:/usr/bin");
        assert!(environment.find_program("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(environment.find_program("no-such-program"), None);
        assert_eq!(EnvironmentVariables::empty().find_program("sh"), None);
    }
}
