//! Which file system a store lies on: SQLite's log needs memory that all its processes share, so one host.

use std::path::Path;

/// What a file system means to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A disk of this machine.
    Local,
    /// Shared by several hosts, where SQLite's locks cannot be trusted.
    Network(&'static str),
    /// Not known to be either.
    Unknown,
}

/// File systems of several hosts, by the magic number of `statfs(2)`.
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

/// File systems of one host: ext2–4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs, bcachefs, ramfs, reiserfs, jfs, ecryptfs.
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

/// Looks at the file system that `path` lies on.
#[cfg(target_os = "linux")]
#[must_use]
pub fn detect_file_system(path: &Path) -> FileSystem {
    let Ok(found) = rustix::fs::statfs(path) else { return FileSystem::Unknown };
    // The kernel's word is signed or not by architecture; the numbers have 32 bits.
    classify_magic(u64::from(found.f_type as u32))
}

/// Only Linux tells by a number; elsewhere nothing is known.
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
