//! The environment variables of a worker: those it inherits, those its profile sets, and those that identify it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use orch_process::EnvironmentVariables;
use orch_process::environment::{INHERITED_VARIABLES, matches_name};
use serde::Deserialize;

use super::command::{
    CommandPlaceholder, CommandWord, CommandWordError, PlaceholderError, PlaceholderValues,
};

/// The worker's agent name.
pub const AGENT: &str = "INBOX_AGENT";
/// The thread of its attempt.
pub const THREAD: &str = "INBOX_THREAD";
/// The token of its lease.
pub const LEASE: &str = "INBOX_LEASE";
/// The location of the store.
pub const STORE: &str = "ORCH_STORE";
/// The folder through which it reaches the store.
pub const RELAY: &str = "INBOX_RELAY";
/// Its run.
pub const RUN: &str = "ORCH_RUN";
/// Its task.
pub const TASK: &str = "ORCH_TASK";
/// Its attempt; also the tag by which its processes are found.
pub const ATTEMPT: &str = "ORCH_ATTEMPT";

/// Prefixes that a profile cannot pass on: the worker gets its own identity, and git's variables could redirect its git.
const NEVER: [&str; 3] = ["ORCH_", "INBOX_", "GIT_"];

/// Prefixes that a profile may not use, because they identify a worker.
const RESERVED: [&str; 2] = ["ORCH_", "INBOX_"];

/// Why a profile may not use a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// The name is not a variable's name.
    #[error("the name of a variable consists of letters, digits and `_`, and does not begin with a digit")]
    InvalidName,
    /// The name has a reserved prefix.
    #[error("variables that begin with ORCH_ or INBOX_ identify a worker, so a profile cannot use them")]
    Reserved,
    /// The variable configures git.
    #[error("variables that begin with GIT_ are not inherited; a profile can set them")]
    Git,
    /// The value has an invalid placeholder.
    #[error(transparent)]
    Value(CommandWordError),
    /// The value contains the brief.
    #[error("`{{brief}}` is allowed in a command only")]
    BriefInValue,
}

/// The name of a variable that a profile sets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct VariableName(String);

impl VariableName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VariableName {
    type Error = VariableError;

    fn try_from(text: String) -> Result<Self, VariableError> {
        if !is_variable_name(&text) {
            return Err(VariableError::InvalidName);
        }
        if has_any_prefix(&text, &RESERVED) { Err(VariableError::Reserved) } else { Ok(Self(text)) }
    }
}

/// The value of a variable that a profile sets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct ProfileVariableValue(CommandWord);

impl TryFrom<String> for ProfileVariableValue {
    type Error = VariableError;

    fn try_from(text: String) -> Result<Self, VariableError> {
        let value = CommandWord::parse(&text).map_err(VariableError::Value)?;
        let has_brief = value.contains_placeholder(CommandPlaceholder::Brief);
        if has_brief { Err(VariableError::BriefInValue) } else { Ok(Self(value)) }
    }
}

/// The variables that a profile sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct VariableSettings(BTreeMap<VariableName, ProfileVariableValue>);

impl VariableSettings {
    /// Whether a value contains a placeholder.
    #[must_use]
    pub fn contains_placeholder(&self, placeholder: CommandPlaceholder) -> bool {
        self.0.values().any(|value| value.0.contains_placeholder(placeholder))
    }

    /// Whether a variable is set.
    #[must_use]
    pub fn sets_variable(&self, name: &str) -> bool {
        self.0.keys().any(|known| known.0 == name)
    }
}

/// A variable's name, or a prefix followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct VariablePattern(String);

impl TryFrom<String> for VariablePattern {
    type Error = VariableError;

    fn try_from(text: String) -> Result<Self, VariableError> {
        let stem = text.strip_suffix('*').unwrap_or(&text);
        if !(is_variable_name(stem) || text == "*") {
            return Err(VariableError::InvalidName);
        }
        if has_any_prefix(stem, &RESERVED) {
            return Err(VariableError::Reserved);
        }
        if has_any_prefix(stem, &NEVER) { Err(VariableError::Git) } else { Ok(Self(text)) }
    }
}

/// The variables that a worker inherits in addition to [`INHERITED_VARIABLES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PassedVariables(Vec<VariablePattern>);

impl PassedVariables {
    /// Whether a variable is inherited.
    #[must_use]
    pub fn passes_variable(&self, name: &OsStr) -> bool {
        // No pattern matches a name that is not UTF-8.
        let Some(name) = name.to_str() else { return false };
        INHERITED_VARIABLES.iter().any(|pattern| matches_name(pattern, name))
            || (self.0.iter().any(|pattern| matches_name(&pattern.0, name)) && !has_any_prefix(name, &NEVER))
    }
}

/// Builds a worker's environment, without the variables that identify it.
pub(super) fn build_environment(
    passing: &PassedVariables,
    settings: &VariableSettings,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    launch: &PlaceholderValues<'_>,
) -> Result<EnvironmentVariables, PlaceholderError> {
    let mut environment = EnvironmentVariables::empty();
    for (name, value) in inherited.into_iter().filter(|(name, _)| passing.passes_variable(name)) {
        environment = environment.with_variable(name, value);
    }
    for (name, value) in &settings.0 {
        environment = environment.with_variable(&name.0, value.0.expand_placeholders(launch)?);
    }
    Ok(environment)
}

fn is_variable_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && text.bytes().all(fits)
}

fn has_any_prefix(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> PassedVariables {
        PassedVariables(
            texts.iter().map(|text| VariablePattern::try_from((*text).to_owned()).unwrap()).collect(),
        )
    }

    #[test]
    fn variables_are_inherited_by_name_or_by_prefix() {
        let passing = patterns(&["ANTHROPIC_*", "MODEL"]);
        for (name, passes) in [
            ("PATH", true),
            ("HOME", true),
            ("LC_ALL", true),
            ("ANTHROPIC_API_KEY", true),
            ("MODEL", true),
            ("MODEL_2", false),
            ("GIT_CONFIG_GLOBAL", true),
            ("GIT_INDEX_FILE", false),
            ("OPENAI_API_KEY", false),
            ("INBOX_LEASE", false),
        ] {
            assert_eq!(passing.passes_variable(OsStr::new(name)), passes, "{name}");
        }
        let all = patterns(&["*"]);
        for (name, passes) in [("OPENAI_API_KEY", true), ("GIT_DIR", false), ("ORCH_RUN", false)] {
            assert_eq!(all.passes_variable(OsStr::new(name)), passes, "{name}");
        }
    }

    #[test]
    fn a_profile_cannot_use_reserved_variables() {
        for (name, passing, setting) in [
            ("A_1", Ok(()), Ok(())),
            ("A_*", Ok(()), Err(VariableError::InvalidName)),
            ("*", Ok(()), Err(VariableError::InvalidName)),
            ("1A", Err(VariableError::InvalidName), Err(VariableError::InvalidName)),
            ("A=B", Err(VariableError::InvalidName), Err(VariableError::InvalidName)),
            ("", Err(VariableError::InvalidName), Err(VariableError::InvalidName)),
            ("INBOX_LEASE", Err(VariableError::Reserved), Err(VariableError::Reserved)),
            ("ORCH_*", Err(VariableError::Reserved), Err(VariableError::InvalidName)),
            ("GIT_DIR", Err(VariableError::Git), Ok(())),
        ] {
            assert_eq!(VariablePattern::try_from(name.to_owned()).map(|_| ()), passing, "{name}");
            assert_eq!(VariableName::try_from(name.to_owned()).map(|_| ()), setting, "{name}");
        }
    }
}
