//! Names that git understands: of commits, trees, files' contents and references.

use std::fmt;

use super::GitError;

/// Makes a type for the names of one kind of object, so that a tree is never taken for a commit.
macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Reads a full name as git writes it: 40 or 64 lower-case hexadecimal digits.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                is_object_name(text).then(|| Self(text.to_owned()))
            }

            /// The full name.
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
    /// The full name of a commit.
    CommitId
}

object_id! {
    /// The full name of a tree: the files of a commit.
    TreeId
}

object_id! {
    /// The full name of a file's content.
    BlobId
}

fn is_object_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The full name of a reference, such as `refs/heads/main`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

/// Where branches are.
const HEADS: &str = "refs/heads/";

impl RefName {
    /// Takes a full name.
    ///
    /// # Errors
    /// `InvalidName` where git would refuse it, or where it does not begin with `refs/`.
    pub fn new(name: &str) -> Result<Self, GitError> {
        let below = name.strip_prefix("refs/").is_some_and(|rest| rest.contains('/'));
        if below && is_ref_name(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(GitError::InvalidName { name: name.to_owned() })
        }
    }

    /// Takes the name of a branch, such as `main`.
    ///
    /// # Errors
    /// `InvalidName` where git would refuse it.
    pub fn from_branch_name(name: &str) -> Result<Self, GitError> {
        // Git gives these a meaning of their own where a branch is expected.
        if name.starts_with('-') || name == "HEAD" {
            return Err(GitError::InvalidName { name: name.to_owned() });
        }
        Self::new(&format!("{HEADS}{name}")).map_err(|_| GitError::InvalidName { name: name.to_owned() })
    }

    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without `refs/heads/`, of a branch.
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

/// The rules of `git check-ref-format`.
fn is_ref_name(name: &str) -> bool {
    let forbidden =
        |byte: u8| byte <= b' ' || matches!(byte, 0x7f | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\');
    let good_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.split('/').all(good_part)
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
    fn reference_names_follow_gits_rules() {
        for (name, good) in NAMES {
            assert_eq!(RefName::new(name).is_ok(), good, "{name:?}");
        }
        for name in ["main", "heads/main", "refs/main", "HEAD"] {
            assert!(RefName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn git_has_the_same_rules() {
        for (name, good) in NAMES {
            let status = std::process::Command::new("git").args(["check-ref-format", name]).status().unwrap();
            assert_eq!(status.success(), good, "{name:?}");
        }
    }

    #[test]
    fn branches_are_named_as_people_do() {
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
    fn object_names_are_whole() {
        assert!(CommitId::parse(&"0af".repeat(14)[..40]).is_some());
        assert!(CommitId::parse(&"a".repeat(64)).is_some());
        for text in ["", "abc", "HEAD", &"A".repeat(40), &"a".repeat(41), &"g".repeat(40)] {
            assert_eq!(CommitId::parse(text), None, "{text}");
        }
    }
}
