//! Names of commits, trees, blobs and references.

use std::fmt;

use super::error::GitError;

/// Defines a type for the ids of one kind of object, so that a tree id is never used as a commit id.
macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Parses a full object id: 40 or 64 lower-case hexadecimal digits.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                is_object_id(text).then(|| Self(text.to_owned()))
            }

            /// Parses a full object id on a line of its own.
            pub(crate) fn parse_line(line: &[u8]) -> Option<Self> {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                Self::parse(std::str::from_utf8(line).ok()?)
            }

            /// Returns the full object id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

object_id! {
    /// The id of a commit.
    CommitId
}

object_id! {
    /// The id of a tree: the files of a commit.
    TreeId
}

object_id! {
    /// The id of a blob: the content of a file.
    BlobId
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The full name of a reference, such as `refs/heads/main`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

/// The prefix of branches.
const HEADS: &str = "refs/heads/";

impl RefName {
    /// Parses a full name.
    ///
    /// # Errors
    /// `InvalidName` if git would reject it, or if it does not begin with `refs/`.
    pub fn new(name: &str) -> Result<Self, GitError> {
        let below = name.strip_prefix("refs/").is_some_and(|rest| rest.contains('/'));
        if below && is_ref_name(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(GitError::InvalidName(name.to_owned()))
        }
    }

    /// Parses the name of a branch, such as `main`.
    ///
    /// # Errors
    /// `InvalidName` if git would reject it.
    pub fn from_branch_name(name: &str) -> Result<Self, GitError> {
        // Git gives these a special meaning in place of a branch name.
        if name.starts_with('-') || name == "HEAD" {
            return Err(GitError::InvalidName(name.to_owned()));
        }
        Self::new(&format!("{HEADS}{name}")).map_err(|_| GitError::InvalidName(name.to_owned()))
    }

    /// Returns the full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without `refs/heads/`; `None` if it is not a branch.
    #[must_use]
    pub fn branch_name(&self) -> Option<&str> {
        self.0.strip_prefix(HEADS)
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.branch_name().unwrap_or(&self.0))
    }
}

/// Applies the rules of `git check-ref-format`.
fn is_ref_name(name: &str) -> bool {
    let forbidden =
        |byte: u8| byte <= b' ' || matches!(byte, 0x7f | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\');
    let is_valid_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.split('/').all(is_valid_part)
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.bytes().any(forbidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, bool); 20] = [
        ("refs/heads/main", true),
        ("refs/heads/orch/run/key.1", true),
        ("refs/heads/größe", true),
        ("refs/orch/salvage/run/key.1", true),
        ("refs/heads/@", true),
        ("refs/heads/a b", false),
        ("refs/heads/a..b", false),
        ("refs/heads/.a", false),
        ("refs/heads/a.lock", false),
        ("refs/heads/a.lock/b", false),
        ("refs/heads/a.", false),
        ("refs/heads/a//b", false),
        ("refs/heads/", false),
        ("refs/heads/a@{1}", false),
        ("refs/heads/a\\b", false),
        ("refs/heads/a\nb", false),
        ("refs/heads/a~1", false),
        ("refs/heads/a:b", false),
        ("refs/heads/a*", false),
        ("refs/heads/a[", false),
    ];

    #[test]
    fn reference_names_follow_the_rules_of_git() {
        for (name, is_valid) in NAMES {
            assert_eq!(RefName::new(name).is_ok(), is_valid, "{name:?}");
        }
        for name in ["main", "heads/main", "refs/main", "HEAD"] {
            assert!(RefName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn git_accepts_the_same_reference_names() {
        for (name, is_valid) in NAMES {
            let status = std::process::Command::new("git").args(["check-ref-format", name]).status().unwrap();
            assert_eq!(status.success(), is_valid, "{name:?}");
        }
    }

    #[test]
    fn branches_have_short_names() {
        let branch = RefName::from_branch_name("orch/run/main").unwrap();
        assert_eq!(
            (branch.as_str(), branch.branch_name()),
            ("refs/heads/orch/run/main", Some("orch/run/main"))
        );
        assert_eq!(branch.to_string(), "orch/run/main");
        assert_eq!(RefName::new("refs/tags/v1").unwrap().to_string(), "refs/tags/v1");
        for name in ["", "-x", "HEAD", "a/../b", "a\0b"] {
            assert!(RefName::from_branch_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn object_ids_are_full() {
        assert!(CommitId::parse(&"0af".repeat(14)[..40]).is_some());
        assert!(CommitId::parse(&"a".repeat(64)).is_some());
        for text in ["", "abc", "HEAD", &"A".repeat(40), &"a".repeat(41), &"g".repeat(40)] {
            assert_eq!(CommitId::parse(text), None, "{text}");
        }
    }
}
