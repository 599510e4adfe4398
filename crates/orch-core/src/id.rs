//! Identifiers: slugs that people choose, integer keys that the store assigns.

use serde::Serialize;
use std::fmt;

/// Defines an integer key of one table.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(pub i64);
    };
}

/// Defines an integer key whose public name is a prefix and the number.
macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        key!($(#[$doc])* $name);

        impl $name {
            /// Parses the public name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?;
                let plain = !digits.is_empty()
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                    && (digits == "0" || !digits.starts_with('0'));
                if plain { digits.parse().ok().map(Self) } else { None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

key!(
    /// A run's key in the store; its public name is its slug.
    RunId
);
key!(
    /// A task's key in the store; its public name is `RUN/KEY`.
    TaskId
);
key!(
    /// An attempt's key in the store; its public name is `RUN/KEY@N`.
    AttemptId
);
key!(
    /// An effect's key in the store; it has no public name.
    EffectId
);
public_key!(
    /// A thread, `th-N`. Numbers grow in commit order.
    ThreadId,
    "th-"
);
public_key!(
    /// A message, `m-N`. Numbers grow in commit order.
    MessageId,
    "m-"
);
public_key!(
    /// An event, `e-N`. Numbers grow in commit order; 0 is before the first.
    EventId,
    "e-"
);

/// A name of a run, task, agent or label: 1 to 64 of `a-z 0-9 - _ .`.
///
/// It begins with a letter or digit, holds no `..`, and does not end in `.` or `.lock`,
/// so that it is safe as a file name, a git ref component and a command argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Slug(String);

/// Why a text is not a [`Slug`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// It is empty.
    #[error("a name must not be empty")]
    Empty,
    /// It is longer than 64 characters.
    #[error("a name has at most 64 characters")]
    TooLong,
    /// It begins with something other than a letter or digit.
    #[error("a name begins with a lower-case letter or a digit")]
    BadStart,
    /// It holds a character outside `a-z 0-9 - _ .`.
    #[error("a name holds only a-z, 0-9, '-', '_' and '.'")]
    BadCharacter,
    /// It holds `..`, or ends in `.` or `.lock`, which git refuses in a branch name.
    #[error("a name holds no '..' and does not end in '.' or '.lock'")]
    NotARef,
}

impl Slug {
    /// The longest slug, in characters.
    pub const LENGTH_MAX: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    /// The name breaks a rule of its alphabet.
    pub fn new(text: &str) -> Result<Self, SlugError> {
        let Some(first) = text.bytes().next() else { return Err(SlugError::Empty) };
        if text.len() > Self::LENGTH_MAX {
            return Err(SlugError::TooLong);
        }
        if !first.is_ascii_lowercase() && !first.is_ascii_digit() {
            return Err(SlugError::BadStart);
        }
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        };
        if !text.bytes().all(allowed) {
            return Err(SlugError::BadCharacter);
        }
        let lock = text.rsplit_once('.').is_some_and(|(_, extension)| extension == "lock");
        if text.contains("..") || text.ends_with('.') || lock {
            return Err(SlugError::NotARef);
        }
        Ok(Self(text.to_owned()))
    }

    /// Wraps a name from the store, which was validated before it was written.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Derives a run's name from its title: words joined by `-`, at most 40 characters; `run` when no character is usable.
    #[must_use]
    pub fn from_title(title: &str) -> Self {
        const LENGTH: usize = 40;
        let mut name = String::new();
        for character in title.chars() {
            let lower = character.to_ascii_lowercase();
            if lower.is_ascii_lowercase() || lower.is_ascii_digit() {
                name.push(lower);
            } else if !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
            if name.len() >= LENGTH {
                break;
            }
        }
        let name = name.trim_end_matches('-');
        Self(if name.is_empty() { "run".to_owned() } else { name.to_owned() })
    }

    /// Appends a number to the name to avoid a collision: `name-2`.
    #[must_use]
    pub fn with_number(&self, number: u32) -> Self {
        Self(format!("{}-{number}", self.0))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The full object name of a commit, opaque to this crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitHash(String);

impl CommitHash {
    /// Wraps an object name from git or from the store.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The full name of a git tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TreeHash(String);

impl TreeHash {
    /// Accepts a name that git printed or that was validated before it was stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The public name of a task, `RUN/KEY`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName {
    /// The run's name.
    pub run: Slug,
    /// The task's key in that run.
    pub key: Slug,
}

impl fmt::Display for TaskName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.run, self.key)
    }
}

/// The public name of an attempt, `RUN/KEY@N`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptName {
    /// Its task.
    pub task: TaskName,
    /// The number of the attempt, from 1.
    pub number: u32,
}

impl fmt::Display for AttemptName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.task, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_names() {
        for good in ["a", "0", "a-b_c.d", "t1", "release-1.2", "a.lockx", "lock"] {
            assert!(Slug::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for (bad, why) in [
            ("", SlugError::Empty),
            (long.as_str(), SlugError::TooLong),
            ("-f", SlugError::BadStart),
            (".a", SlugError::BadStart),
            ("../x", SlugError::BadStart),
            ("A", SlugError::BadStart),
            ("aB", SlugError::BadCharacter),
            ("a/b", SlugError::BadCharacter),
            ("a b", SlugError::BadCharacter),
            ("aé", SlugError::BadCharacter),
            ("a..b", SlugError::NotARef),
            ("a.", SlugError::NotARef),
            ("a.lock", SlugError::NotARef),
        ] {
            assert_eq!(Slug::new(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_title_becomes_a_name() {
        for (title, name) in [
            ("Ship the 2.0 release!", "ship-the-2-0-release"),
            ("  ---  ", "run"),
            ("日本語", "run"),
            ("x".repeat(200).as_str(), &"x".repeat(40)),
        ] {
            let made = Slug::from_title(title);
            assert_eq!(made.as_str(), name);
            assert!(Slug::new(made.as_str()).is_ok());
        }
    }

    #[test]
    fn public_numbers_have_one_spelling() {
        assert_eq!(ThreadId::parse("th-12"), Some(ThreadId(12)));
        assert_eq!(MessageId::parse("m-1").map(|id| id.to_string()), Some("m-1".to_owned()));
        for bad in ["th-", "th-01", "th--1", "th-1x", "m-1", "1", "th-99999999999999999999"] {
            assert_eq!(ThreadId::parse(bad), None, "{bad}");
        }
        assert_eq!(EventId::parse("e-0"), Some(EventId(0)));
    }
}
