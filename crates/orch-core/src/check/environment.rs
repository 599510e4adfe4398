//! Which variables a check gets besides those that every worker gets, and which of the others it seems to need.

use std::collections::BTreeSet;

/// Prefixes of the variables that orch itself sets.
const RESERVED: [&str; 2] = ["ORCH_", "INBOX_"];

/// A variable that a check gets besides those that every worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckVariable<'a> {
    /// The variables of this name, or with the prefix before a final `*`, as orch has them.
    Passed(&'a str),
    /// A variable with a value of its own.
    Set {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
}

/// Why a text names no variable for checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckVariableError {
    /// It is none of the three forms.
    #[error(
        "Use NAME, PREFIX_* or NAME=VALUE; a name consists of letters, digits and `_`, and does not begin with a digit."
    )]
    InvalidName,
    /// Orch sets variables with this prefix itself.
    #[error("Variables that begin with ORCH_ or INBOX_ are set by orch itself.")]
    Reserved,
}

impl<'a> CheckVariable<'a> {
    /// Parses `NAME`, `PREFIX_*` or `NAME=VALUE`.
    ///
    /// # Errors
    /// The name is invalid or reserved.
    pub fn parse(text: &'a str) -> Result<Self, CheckVariableError> {
        let (name, variable) = match text.split_once('=') {
            Some((name, value)) => (name, Self::Set { name, value }),
            None => (text.strip_suffix('*').unwrap_or(text), Self::Passed(text)),
        };
        if text != "*" && !is_variable_name(name) {
            return Err(CheckVariableError::InvalidName);
        }
        let is_reserved = RESERVED.iter().any(|prefix| name.starts_with(prefix));
        if is_reserved { Err(CheckVariableError::Reserved) } else { Ok(variable) }
    }
}

fn is_variable_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(fits)
}

/// Returns the names that one of these texts has as a whole word, in alphabetical order.
#[must_use]
pub fn find_mentioned_names<'n>(names: impl IntoIterator<Item = &'n str>, texts: &[&str]) -> Vec<&'n str> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words: BTreeSet<&str> =
        texts.iter().flat_map(|text| text.split(|character| !is_word(character))).collect();
    let mentioned: BTreeSet<&str> = names.into_iter().filter(|name| words.contains(name)).collect();
    mentioned.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_three_forms() {
        use CheckVariable as V;
        for (text, expected) in [
            ("DATABASE_URL", Ok(V::Passed("DATABASE_URL"))),
            ("AWS_*", Ok(V::Passed("AWS_*"))),
            ("*", Ok(V::Passed("*"))),
            ("CI=1", Ok(V::Set { name: "CI", value: "1" })),
            ("CI=", Ok(V::Set { name: "CI", value: "" })),
            ("A=b=c *", Ok(V::Set { name: "A", value: "b=c *" })),
            ("", Err(CheckVariableError::InvalidName)),
            ("=x", Err(CheckVariableError::InvalidName)),
            ("1A", Err(CheckVariableError::InvalidName)),
            ("A B", Err(CheckVariableError::InvalidName)),
            ("A*B", Err(CheckVariableError::InvalidName)),
            ("A_*=1", Err(CheckVariableError::InvalidName)),
            ("ORCH_RUN=x", Err(CheckVariableError::Reserved)),
            ("INBOX_*", Err(CheckVariableError::Reserved)),
        ] {
            assert_eq!(V::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_mentioned_as_whole_words() {
        let names = ["DATABASE_URL", "URL", "CI", "PGHOST", "A"];
        let texts = ["psql \"$DATABASE_URL\"", "sh: 1: PGHOST: parameter not set\nno CIRCLE\n"];
        assert_eq!(find_mentioned_names(names, &texts), ["DATABASE_URL", "PGHOST"]);
        assert_eq!(find_mentioned_names(names, &["${A:?}", ""]), ["A"]);
    }
}
