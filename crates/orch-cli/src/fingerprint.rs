//! What makes two requests the same: a digest of the command and its arguments.
//!
//! Arguments are added after defaults were filled in and files were read.
//! Output, store and waiting options are left out, because they do not change what is done.

use std::fmt::Display;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Collects a command's arguments into a digest.
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins with the command's canonical name.
    #[must_use]
    pub fn of(command: &str) -> Self {
        let mut this = Self(Sha256::new());
        this.put(command.as_bytes());
        this
    }

    /// Adds an argument that always has a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.put(name.as_bytes());
        self.put(b"value");
        self.put(value.to_string().as_bytes());
        self
    }

    /// Adds an argument that may be left out.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self.absent(name),
        }
    }

    /// Adds an argument that may be given several times.
    #[must_use]
    pub fn list(mut self, name: &str, values: &[impl Display]) -> Self {
        self.put(name.as_bytes());
        self.put(b"list");
        self.put(values.len().to_string().as_bytes());
        for value in values {
            self.put(value.to_string().as_bytes());
        }
        self
    }

    /// The digest in hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            // Writing to a text never fails.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    fn absent(mut self, name: &str) -> Self {
        self.put(name.as_bytes());
        self.put(b"absent");
        self
    }

    /// Adds bytes behind their length, so that no two sequences of parts look alike.
    fn put(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_arguments_have_the_same_digest() {
        let digest =
            |body: Option<&str>| Fingerprint::of("inbox send").with("to", "a").maybe("body", body).finish();
        assert_eq!(digest(Some("x")), digest(Some("x")));
        assert_eq!(digest(None).len(), 64);
        let different = [digest(None), digest(Some("")), digest(Some("x"))];
        assert!(different[0] != different[1] && different[1] != different[2]);
    }

    #[test]
    fn parts_do_not_run_together() {
        let list = |values: &[&str]| Fingerprint::of("x").list("option", values).finish();
        assert_ne!(list(&["ab", "c"]), list(&["a", "bc"]));
        assert_ne!(list(&["a"]), Fingerprint::of("x").with("option", "a").finish());
    }
}
