//! The variables of a worker: ours, those of the profile, and those that pass.

use std::ffi::{OsStr, OsString};

use super::command::{CommandWord, PlaceholderError, PlaceholderValues};
use orch_process::EnvironmentVariables;

/// Who the worker is.
pub const AGENT: &str = "INBOX_AGENT";
/// The thread of its attempt.
pub const THREAD: &str = "INBOX_THREAD";
/// The token of its lease.
pub const LEASE: &str = "INBOX_LEASE";
/// Where the store is.
pub const STORE: &str = "ORCH_STORE";
/// The run that it works for.
pub const RUN: &str = "ORCH_RUN";
/// Its task.
pub const TASK: &str = "ORCH_TASK";
/// Its attempt; also the mark by which its processes are found.
pub const ATTEMPT: &str = "ORCH_ATTEMPT";

/// What passes to every worker: where it lives, its language, how it reaches the network, where tools are installed.
pub const ALWAYS: [&str; 32] = [
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
];

/// What never passes: a worker's own variables are given to it, and those of git would turn its git elsewhere.
const NEVER: [&str; 3] = ["ORCH_", "INBOX_", "GIT_"];

/// What a profile may not touch, because it says who a worker is.
const OURS: [&str; 2] = ["ORCH_", "INBOX_"];

/// Why a name of a variable is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It is no name.
    #[error("a variable's name is letters, digits and `_`, and does not begin with a digit")]
    NotAName,
    /// It is ours.
    #[error("variables that begin with ORCH_ or INBOX_ say who a worker is; a profile leaves them alone")]
    Ours,
    /// It would turn the worker's git elsewhere.
    #[error("variables of git do not pass; a profile can set them")]
    Git,
}

/// Names that pass, the last of them maybe a beginning: `LC_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedVariables(Vec<String>);

impl PassedVariables {
    /// Checks names; `*` at the end of one stands for anything.
    pub(super) fn check_name(text: &str) -> Result<String, VariableError> {
        let (stem, any) = text.strip_suffix('*').map_or((text, false), |stem| (stem, true));
        if !(is_variable_name(stem) || (any && stem.is_empty())) {
            return Err(VariableError::NotAName);
        }
        if has_any_prefix(stem, &OURS) {
            return Err(VariableError::Ours);
        }
        if has_any_prefix(stem, &NEVER) { Err(VariableError::Git) } else { Ok(text.to_owned()) }
    }

    pub(super) const fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Whether a variable passes.
    #[must_use]
    pub fn passes_variable(&self, name: &OsStr) -> bool {
        // A name that is not text is nobody's on purpose.
        let Some(name) = name.to_str() else { return false };
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(stem) => name.starts_with(stem),
            None => name == pattern,
        };
        let listed = ALWAYS.into_iter().chain(self.0.iter().map(String::as_str)).any(matches);
        listed && !has_any_prefix(name, &NEVER)
    }
}

/// A variable that a profile sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableSetting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: CommandWord,
}

impl VariableSetting {
    pub(super) fn check_name(text: &str) -> Result<String, VariableError> {
        if !is_variable_name(text) {
            return Err(VariableError::NotAName);
        }
        if has_any_prefix(text, &OURS) { Err(VariableError::Ours) } else { Ok(text.to_owned()) }
    }
}

/// The environment of a worker, without the variables that say who it is.
pub(super) fn build_environment(
    passing: &PassedVariables,
    settings: &[VariableSetting],
    ours: impl IntoIterator<Item = (OsString, OsString)>,
    launch: &PlaceholderValues<'_>,
) -> Result<EnvironmentVariables, PlaceholderError> {
    let mut environment = EnvironmentVariables::empty();
    for (name, value) in ours.into_iter().filter(|(name, _)| passing.passes_variable(name)) {
        environment = environment.with_variable(name, value);
    }
    for setting in settings {
        environment = environment.with_variable(&setting.name, setting.value.expand_placeholders(launch)?);
    }
    Ok(environment)
}

fn is_variable_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && text.bytes().all(fits)
}

fn has_any_prefix(name: &str, stems: &[&str]) -> bool {
    stems.iter().any(|stem| name.starts_with(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pass_one_by_one_or_by_their_beginning() {
        let passing = PassedVariables::new(vec!["ANTHROPIC_*".to_owned(), "MODEL".to_owned()]);
        for (name, passes) in [
            ("PATH", true),
            ("HOME", true),
            ("LC_ALL", true),
            ("ANTHROPIC_API_KEY", true),
            ("MODEL", true),
            ("MODEL_2", false),
            ("OPENAI_API_KEY", false),
            ("INBOX_LEASE", false),
        ] {
            assert_eq!(passing.passes_variable(OsStr::new(name)), passes, "{name}");
        }
        let all = PassedVariables::new(vec!["*".to_owned()]);
        for (name, passes) in [("OPENAI_API_KEY", true), ("GIT_DIR", false), ("ORCH_RUN", false)] {
            assert_eq!(all.passes_variable(OsStr::new(name)), passes, "{name}");
        }
    }

    #[test]
    fn a_profile_leaves_our_variables_alone() {
        for (name, passing, setting) in [
            ("A_1", Ok("A_1".to_owned()), Ok("A_1".to_owned())),
            ("A_*", Ok("A_*".to_owned()), Err(VariableError::NotAName)),
            ("*", Ok("*".to_owned()), Err(VariableError::NotAName)),
            ("1A", Err(VariableError::NotAName), Err(VariableError::NotAName)),
            ("A=B", Err(VariableError::NotAName), Err(VariableError::NotAName)),
            ("", Err(VariableError::NotAName), Err(VariableError::NotAName)),
            ("INBOX_LEASE", Err(VariableError::Ours), Err(VariableError::Ours)),
            ("ORCH_*", Err(VariableError::Ours), Err(VariableError::NotAName)),
            ("GIT_DIR", Err(VariableError::Git), Ok("GIT_DIR".to_owned())),
        ] {
            assert_eq!(PassedVariables::check_name(name), passing, "{name}");
            assert_eq!(VariableSetting::check_name(name), setting, "{name}");
        }
    }
}
