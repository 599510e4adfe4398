//! Detects network file systems: SQLite's WAL needs shared memory, so all processes must be on one host.

use std::path::Path;

use crate::Fault;

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

/// The longest path that SQLite opens, with the names of the files beside it.
const PATH_BYTES_MAX: usize = 511 - "-journal".len();

/// Refuses a path that SQLite cannot open.
pub(crate) fn require_short_path(path: &Path) -> Result<(), Fault> {
    // A file that does not exist yet has the real path of its folder.
    let parent = path.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    let real = parent.map(|(folder, real)| real.join(path.strip_prefix(folder).unwrap_or(path)));
    let bytes = real.as_deref().unwrap_or(path).as_os_str().len();
    if bytes <= PATH_BYTES_MAX {
        return Ok(());
    }
    let problem = format!("its path has {bytes} bytes, and SQLite opens at most {PATH_BYTES_MAX}");
    let source = std::io::Error::new(std::io::ErrorKind::InvalidFilename, problem);
    Err(Fault::Unavailable { place: path.display().to_string(), source })
}

/// Returns whether this process may write a file and its folder.
pub(crate) fn is_writable(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    access(path, Access::READ_OK | Access::WRITE_OK).is_ok()
        && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Gives a new file or folder to the owner of its folder if root made it, so that the owner is not locked out.
pub(crate) fn follow_folder_owner(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, found) = (std::fs::metadata(folder)?, std::fs::symlink_metadata(path)?);
    // A folder such as /tmp is root's, and only root makes files of root's.
    if found.uid() != 0 || folder.uid() == 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(folder.uid()), Some(folder.gid()))
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
