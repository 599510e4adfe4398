//! The key of a check: a digest of everything that its result may depend on.
//!
//! Two checks of a run with one key are the same check, so the second one takes the result of the first over.

use serde::Serialize;

named_enum! {
    /// What identifies the files that a check judges.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
    pub enum CheckIdentity {
        /// The tree of the commit: commits with the same files share their results.
        #[default]
        Tree = "tree",
        /// The commit itself, for checks that read history, author or message.
        Commit = "commit",
    }
}

/// The digest of everything that the result of one check may depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckKey(String);

impl CheckKey {
    /// Accepts the text of a digest.
    #[must_use]
    pub fn from_digest(text: String) -> Self {
        Self(text)
    }

    /// Returns the digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Variables that a shell sets for itself, and that differ between two terminals without meaning anything to a check.
const SHELL_VARIABLES: [&[u8]; 4] = [b"_", b"OLDPWD", b"PWD", b"SHLVL"];

/// Returns whether the value of a variable belongs to the key: neither an `ORCH_` or `INBOX_` variable, which names the attempt and
/// its place, nor one that the shell of a check sets itself.
#[must_use]
pub fn is_key_variable(name: &[u8]) -> bool {
    !name.starts_with(b"ORCH_") && !name.starts_with(b"INBOX_") && !SHELL_VARIABLES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_variables_and_those_of_a_shell_do_not_count() {
        for (name, counts) in [
            ("PATH", true),
            ("ORCHARD", true),
            ("PWD_", true),
            ("ORCH_SLOT", false),
            ("ORCH_STAGE", false),
            ("INBOX_THREAD", false),
            ("PWD", false),
            ("_", false),
        ] {
            assert_eq!(is_key_variable(name.as_bytes()), counts, "{name}");
        }
    }
}
