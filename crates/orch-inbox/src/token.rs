//! Lease tokens and digests. Only digests are stored.

use orch_core::id::ThreadId;
use orch_core::lease::TokenDigest;
use sha2::{Digest, Sha256};

use crate::Error;

/// The digits of a token: Crockford's base 32 in lower case, which has no look-alike digits.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Generates a token with 160 random bits.
///
/// # Errors
/// `Entropy`: the system returned no random bytes.
pub fn random_token() -> Result<String, Error> {
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes).map_err(|error| Error::Entropy(std::io::Error::other(error)))?;
    Ok(encode_token(&bytes))
}

/// Derives the token of a claim with this request id for a thread.
///
/// A repeated claim must return its first token, and tokens are not stored.
/// The request id is not stored either, and the token is as hard to guess as the id.
pub(crate) fn derive_token(key: &str, thread: ThreadId) -> String {
    let digest = hash_parts(&["orch claim token", key, &thread.to_string()]);
    encode_token(&digest[..20])
}

/// Returns the digest under which a token is stored.
pub fn digest_token(token: &str) -> TokenDigest {
    TokenDigest(encode_hex(&hash_parts(&["orch lease token", token])))
}

/// Returns the digest under which a request id is stored.
pub fn digest_request_id(key: &str) -> String {
    encode_hex(&hash_parts(&["orch request id", key]))
}

/// Hashes parts with their lengths, so that no two lists of parts have one digest.
fn hash_parts(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

fn encode_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// Encodes bytes in groups of five bits, after the prefix `lt-`.
fn encode_token(bytes: &[u8]) -> String {
    let mut text = String::from("lt-");
    let (mut pending, mut bits) = (0_u32, 0);
    for byte in bytes {
        pending = (pending << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(DIGITS[(pending >> bits) as usize & 31]));
        }
        pending &= (1 << bits) - 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_unique() {
        let (one, other) = (random_token().unwrap(), random_token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 3 + 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }

    #[test]
    fn a_repeated_request_gets_its_first_token() {
        let token = derive_token("r-1", ThreadId(7));
        assert_eq!(token, derive_token("r-1", ThreadId(7)));
        assert_ne!(token, derive_token("r-1", ThreadId(8)));
        assert_ne!(token, derive_token("r-2", ThreadId(7)));
        assert_eq!(digest_token(&token).0.len(), 64);
    }
}
