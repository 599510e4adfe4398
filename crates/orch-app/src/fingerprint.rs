//! What makes two requests the same: a digest of the command and its arguments.
//!
//! Arguments are added after defaults were filled in and files were read.
//! Output, store and waiting options are left out, because they do not change what is done.

use std::fmt::Display;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Collects a command's arguments into a digest.
pub struct RequestFingerprint(Sha256);

impl RequestFingerprint {
    /// Begins with the command's canonical name.
    #[must_use]
    pub fn for_command(command: &str) -> Self {
        let mut this = Self(Sha256::new());
        this.push_bytes(command.as_bytes());
        this
    }

    /// Adds an argument that always has a value.
    #[must_use]
    pub fn with_argument(mut self, name: &str, value: impl Display) -> Self {
        self.push_bytes(name.as_bytes());
        self.push_bytes(b"value");
        self.push_bytes(value.to_string().as_bytes());
        self
    }

    /// Adds an argument that may be left out.
    #[must_use]
    pub fn with_optional(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with_argument(name, value),
            None => self.with_absent(name),
        }
    }

    /// Adds an argument that may be given several times.
    #[must_use]
    pub fn with_list(mut self, name: &str, values: &[impl Display]) -> Self {
        self.push_bytes(name.as_bytes());
        self.push_bytes(b"list");
        self.push_bytes(values.len().to_string().as_bytes());
        for value in values {
            self.push_bytes(value.to_string().as_bytes());
        }
        self
    }

    /// The digest in hexadecimal.
    #[must_use]
    pub fn into_hex(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            // Writing to a text never fails.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    fn with_absent(mut self, name: &str) -> Self {
        self.push_bytes(name.as_bytes());
        self.push_bytes(b"absent");
        self
    }

    /// Adds bytes behind their length, so that no two sequences of parts look alike.
    fn push_bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_arguments_have_the_same_digest() {
        let digest = |body: Option<&str>| {
            RequestFingerprint::for_command("inbox send")
                .with_argument("to", "a")
                .with_optional("body", body)
                .into_hex()
        };
        assert_eq!(digest(Some("x")), digest(Some("x")));
        assert_eq!(digest(None).len(), 64);
        let different = [digest(None), digest(Some("")), digest(Some("x"))];
        assert!(different[0] != different[1] && different[1] != different[2]);
    }

    #[test]
    fn parts_do_not_run_together() {
        let list =
            |values: &[&str]| RequestFingerprint::for_command("x").with_list("option", values).into_hex();
        assert_ne!(list(&["ab", "c"]), list(&["a", "bc"]));
        assert_ne!(
            list(&["a"]),
            RequestFingerprint::for_command("x").with_argument("option", "a").into_hex()
        );
    }
}
