//! Detects network file systems: SQLite's WAL needs shared memory, so all processes must be on one host.

use std::path::Path;

/// The kind of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A local file system.
    Local,
    /// A network file system, where SQLite's locks are not reliable.
    Network(&'static str),
    /// An unknown file system.
    Unknown,
}

/// Network file systems, by the magic number of `statfs(2)`.
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x7375_7245, "Coda"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
];

/// Local file systems: ext2–4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs, bcachefs, ramfs, reiserfs, jfs, ecryptfs.
const LOCAL: &[u64] = &[
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x794c_7630,
    0x2fc1_2fc1,
    0xf2f5_2010,
    0xca45_1a4e,
    0x8584_58f6,
    0x5265_4973,
    0x3153_464a,
    0xf15f,
];

/// Detects the file system of `path`.
#[cfg(target_os = "linux")]
#[must_use]
pub fn detect_file_system(path: &Path) -> FileSystem {
    let Ok(found) = rustix::fs::statfs(path) else { return FileSystem::Unknown };
    // The signedness of the field depends on the architecture; the numbers have 32 bits.
    classify_magic(u64::from(found.f_type as u32))
}

/// Other systems than Linux have no magic numbers; the file system is assumed to be local.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn detect_file_system(_path: &Path) -> FileSystem {
    FileSystem::Local
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux asks"))]
fn classify_magic(magic: u64) -> FileSystem {
    if let Some((_, name)) = NETWORK.iter().find(|(known, _)| *known == magic) {
        FileSystem::Network(name)
    } else if LOCAL.contains(&magic) {
        FileSystem::Local
    } else {
        FileSystem::Unknown
    }
}

/// Syncs a folder, so that its directory entries survive loss of power.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    // The parent of a relative path of one component.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match std::fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        // The folder may not be readable, or its file system may not support syncing folders; then it cannot be synced.
        Err(error) if matches!(error.kind(), PermissionDenied | InvalidInput | Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_is_refused_unknown_is_told_apart() {
        assert_eq!(classify_magic(0x6969), FileSystem::Network("NFS"));
        assert_eq!(classify_magic(0xef53), FileSystem::Local);
        assert_eq!(classify_magic(0x0102_1997), FileSystem::Unknown, "9p is not refused");
        assert_ne!(detect_file_system(&std::env::temp_dir()), FileSystem::Network("NFS"));
    }
}
