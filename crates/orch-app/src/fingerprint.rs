//! The fingerprint of a request: a digest of its command and its serialised form.

use std::fmt::Write as _;

use orch_contract::ErrorCode;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::AppError;

/// Returns the fingerprint in hexadecimal.
///
/// # Errors
/// The request has no serialised form, which is a defect.
pub(crate) fn fingerprint(command: &str, request: &impl Serialize) -> Result<String, AppError> {
    let form = serde_json::to_vec(&(command, request)).map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("The request cannot be serialised: {error}."))
    })?;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(&form) {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct NoteFields<'a> {
        to: &'a str,
        body: Option<&'a str>,
        labels: &'a [&'a str],
    }

    fn digest(command: &str, body: Option<&str>, labels: &[&str]) -> String {
        fingerprint(command, &NoteFields { to: "a", body, labels }).unwrap()
    }

    #[test]
    fn equal_requests_have_one_fingerprint() {
        let first = digest("inbox send", Some("x"), &["a"]);
        assert_eq!(first.len(), 64);
        assert_eq!(first, digest("inbox send", Some("x"), &["a"]));
    }

    #[test]
    fn different_requests_have_different_fingerprints() {
        let digests = [
            digest("inbox send", Some("x"), &[]),
            digest("inbox reply", Some("x"), &[]),
            digest("inbox send", Some(""), &[]),
            digest("inbox send", None, &[]),
            digest("inbox send", None, &["ab", "c"]),
            digest("inbox send", None, &["a", "bc"]),
        ];
        for (index, one) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(one), "{index}");
        }
    }
}
