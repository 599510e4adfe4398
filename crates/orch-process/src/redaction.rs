//! Redaction: replaces the values of secret environment variables in text and in streams of output.
//!
//! [`SecretValues`] are the values of one environment, and a [`RedactedStream`] replaces them wherever chunks of output begin and
//! end: it holds back only bytes that may still become a value.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use crate::EnvironmentVariables;

/// What replaces a value.
pub const REDACTED: &str = "[redacted]";

/// The length of the shortest value that is redacted; shorter ones are part of ordinary words.
const VALUE_BYTES_MIN: usize = 8;

/// The length of the shortest line of a longer value that is redacted alone, as in a key that is printed line by line.
const LINE_BYTES_MIN: usize = 16;

/// The endings of names of variables that hold secrets.
const NAME_ENDINGS: [&str; 3] = ["_KEY", "_TOKEN", "_SECRET"];

/// The values to redact.
#[derive(Clone, Debug)]
pub struct SecretValues {
    /// Longest first, so that the longest one that matches is replaced.
    values: Arc<[Vec<u8>]>,
    /// Whether a value begins with this byte.
    is_first_byte: Arc<[bool; 256]>,
}

impl Default for SecretValues {
    fn default() -> Self {
        Self::from_values([])
    }
}

impl SecretValues {
    /// Collects the values of the secret variables of an environment.
    #[must_use]
    pub fn of_environment(environment: &EnvironmentVariables) -> Self {
        let secret = environment.as_pairs().iter().filter(|(name, _)| is_secret_name(name.as_bytes()));
        Self::from_values(secret.map(|(_, value)| value.as_bytes()))
    }

    /// Collects values, also as JSON and shell quoting print them; those that are too short are not redacted.
    fn from_values<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all = BTreeSet::new();
        for value in values.into_iter().map(<[u8]>::trim_ascii) {
            let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN);
            for part in lines.chain([value]).filter(|part| part.len() >= VALUE_BYTES_MIN) {
                all.insert(part.to_vec());
                all.insert(escape_quotes(part));
            }
        }
        let mut values: Vec<Vec<u8>> = all.into_iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut is_first_byte = [false; 256];
        for value in &values {
            is_first_byte[usize::from(value[0])] = true;
        }
        Self { values: values.into(), is_first_byte: Arc::new(is_first_byte) }
    }

    /// Returns whether there is nothing to redact.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Redacts a whole text.
    #[must_use]
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut redacted = self.redact_bytes(text.as_bytes());
        if redacted == text.as_bytes() {
            return Cow::Borrowed(text);
        }
        // A value that is not UTF-8 may begin within a character.
        match String::from_utf8(std::mem::take(&mut redacted)) {
            Ok(text) => Cow::Owned(text),
            Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        }
    }

    /// Redacts a whole output.
    #[must_use]
    pub fn redact_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = RedactedStream::new(self.clone());
        let mut redacted = stream.push_bytes(bytes).into_owned();
        redacted.extend(stream.finish());
        redacted
    }

    /// Returns the length of the longest value with which these bytes begin.
    fn match_at(&self, bytes: &[u8]) -> Option<usize> {
        self.values.iter().find(|value| bytes.starts_with(value)).map(Vec::len)
    }

    /// Returns whether more bytes could make these the beginning of a value that is longer than any found.
    fn may_match_later(&self, bytes: &[u8]) -> bool {
        self.values.iter().any(|value| value.len() > bytes.len() && value.starts_with(bytes))
    }
}

/// Returns whether a variable of this name holds a secret: `*_KEY`, `*_TOKEN`, `*_SECRET` or `*PASSWORD*`.
fn is_secret_name(name: &[u8]) -> bool {
    let name = name.to_ascii_uppercase();
    NAME_ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()))
        || name.windows(b"PASSWORD".len()).any(|part| part == b"PASSWORD")
}

/// Escapes quotes, backslashes and line ends as JSON does.
fn escape_quotes(value: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b'"' | b'\\' => escaped.extend([b'\\', *byte]),
            b'\n' => escaped.extend(b"\\n"),
            b'\t' => escaped.extend(b"\\t"),
            _ => escaped.push(*byte),
        }
    }
    escaped
}

/// Redacts output that arrives in chunks.
#[derive(Debug)]
pub struct RedactedStream {
    secrets: SecretValues,
    /// The newest bytes, which may be the beginning of a value.
    held: Vec<u8>,
}

impl RedactedStream {
    /// Begins a stream.
    #[must_use]
    pub fn new(secrets: SecretValues) -> Self {
        Self { secrets, held: Vec::new() }
    }

    /// Adds output, and returns what can be passed on.
    pub fn push_bytes<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let is_first = |byte: &u8| self.secrets.is_first_byte[usize::from(*byte)];
        if self.held.is_empty() && !bytes.iter().any(is_first) {
            return Cow::Borrowed(bytes);
        }
        self.held.extend_from_slice(bytes);
        Cow::Owned(self.take_ready(false))
    }

    /// Ends the stream, and returns what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        self.take_ready(true)
    }

    fn take_ready(&mut self, is_end: bool) -> Vec<u8> {
        let mut ready = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(first) = self.held.get(at) {
            let rest = &self.held[at..];
            if !self.secrets.is_first_byte[usize::from(*first)] {
                ready.push(*first);
                at += 1;
            } else if !is_end && self.secrets.may_match_later(rest) {
                break;
            } else if let Some(length) = self.secrets.match_at(rest) {
                ready.extend(REDACTED.as_bytes());
                at += length;
            } else {
                ready.push(*first);
                at += 1;
            }
        }
        self.held.drain(..at);
        ready
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(values: &[&str]) -> SecretValues {
        SecretValues::from_values(values.iter().map(|value| value.as_bytes()))
    }

    /// Redacts output that arrives in these chunks.
    fn redact_chunks<'a>(secrets: &SecretValues, chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut stream = RedactedStream::new(secrets.clone());
        let mut redacted = Vec::new();
        for chunk in chunks {
            redacted.extend_from_slice(&stream.push_bytes(chunk));
        }
        redacted.extend(stream.finish());
        String::from_utf8(redacted).unwrap()
    }

    #[test]
    fn secret_variables_are_known_by_their_names() {
        for (name, is_secret) in [
            ("API_KEY", true),
            ("GITHUB_TOKEN", true),
            ("client_secret", true),
            ("PGPASSWORD", true),
            ("DB_PASSWORD_FILE", true),
            ("KEY", false),
            ("TOKENS", false),
            ("SECRET_NAME", false),
            ("PATH", false),
        ] {
            assert_eq!(is_secret_name(name.as_bytes()), is_secret, "{name}");
        }
    }

    #[test]
    fn values_are_redacted_wherever_chunks_are_split() {
        let environment = EnvironmentVariables::empty()
            .with_variable("A_KEY", "secret123")
            .with_variable("B_TOKEN", "secret123-longer")
            .with_variable("C_SECRET", "short")
            .with_variable("HOME", "/users/me")
            .with_variable("D_PASSWORD", "it's \"so\" secret\nand has two whole lines");
        let secrets = SecretValues::of_environment(&environment);
        for (text, expected) in [
            ("", ""),
            ("secret123", "[redacted]"),
            ("a secret123, secret12 and secret123-longer.", "a [redacted], secret12 and [redacted]."),
            ("secret123-long", "[redacted]-long"),
            ("secresecret123secret123", "secre[redacted][redacted]"),
            ("short /users/me", "short /users/me"),
            ("it's \"so\" secret\nand has two whole lines!", "[redacted]!"),
            (r#"{"p":"it's \"so\" secret\nand has two whole lines"}"#, r#"{"p":"[redacted]"}"#),
            ("line 2: and has two whole lines\n", "line 2: [redacted]\n"),
            ("größe secret123 größe", "größe [redacted] größe"),
        ] {
            assert_eq!(secrets.redact_text(text), expected);
            for split in 0..=text.len() {
                let (first, second) = text.as_bytes().split_at(split);
                assert_eq!(redact_chunks(&secrets, [first, second]), expected, "{text:?} at {split}");
            }
            assert_eq!(redact_chunks(&secrets, text.as_bytes().chunks(1)), expected, "{text:?}");
        }
    }

    #[test]
    fn only_what_may_become_a_value_is_held_back() {
        let mut stream = RedactedStream::new(secrets(&["secret123"]));
        for (chunk, passed) in [
            ("one\n", "one\n"),
            ("two sec", "two "),
            ("ond\n", "second\n"),
            ("s", ""),
            ("ecret123", "[redacted]"),
        ] {
            assert_eq!(stream.push_bytes(chunk.as_bytes()), passed.as_bytes(), "{chunk:?}");
        }
        assert_eq!(stream.finish(), b"");
    }

    proptest! {
        #[test]
        fn chunks_do_not_change_the_result_and_no_value_is_left(
            values in proptest::collection::vec("[ab]{8,10}", 1..4),
            parts in proptest::collection::vec("[abc]{0,12}", 0..8),
            chunk in 1usize..9,
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let secrets = secrets(&values);
            let text = parts.join(values[0]);
            let whole = secrets.redact_text(&text);
            prop_assert_eq!(redact_chunks(&secrets, text.as_bytes().chunks(chunk)), whole.as_ref());
            for value in values {
                prop_assert!(!whole.contains(value), "{} in {}", value, whole);
            }
        }
    }
}
