//! The place of a wrapper's relay: the mailbox through which its worker reaches the store, and nothing else.

use std::path::{Path, PathBuf};

use orch_core::id::ThreadId;
use sha2::{Digest as _, Sha256};

/// The last answer of a relay whose work was lost.
pub const LEASE_LOST: &[u8] = b"lease_lost";

/// Returns the folder of a thread's relay: outside the store and every worktree, and shorter than 80 bytes, as sandboxes want it.
///
/// Each process of the user finds the same folder, whatever its environment.
#[must_use]
pub fn relay_folder(store_folder: &Path, thread: ThreadId) -> PathBuf {
    let store = store_folder.canonicalize().unwrap_or_else(|_| store_folder.to_owned());
    let digest = Sha256::digest(store.as_os_str().as_encoded_bytes());
    let store: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let user = rustix::process::geteuid().as_raw();
    PathBuf::from(format!("/tmp/orch-{user}/{store}-{thread}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_short_and_belongs_to_one_thread_of_one_store() {
        let path = relay_folder(Path::new("/a/very/long/path/of/a/store/that/lies/deep"), ThreadId(i64::MAX));
        assert!(path.as_os_str().len() < 80, "{path:?}");
        let others = [
            relay_folder(Path::new("/another"), ThreadId(i64::MAX)),
            relay_folder(Path::new("/a/very/long/path/of/a/store/that/lies/deep"), ThreadId(1)),
        ];
        assert!(!others.contains(&path));
    }
}
