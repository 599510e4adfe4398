//! Lock files as files: their age and identity, and the path in git's message about one.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Distinguishes a lock file from another one that is created later under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockIdentity {
    device: u64,
    inode: u64,
    modified_ns: i128,
    size: u64,
}

impl LockIdentity {
    pub(crate) fn new(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            modified_ns: nanoseconds(found.mtime(), found.mtime_nsec()),
            size: found.size(),
        }
    }

    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        path.symlink_metadata().ok().map(|found| Self::new(&found))
    }
}

/// Parses the lock file that git could not create because it exists.
pub(crate) fn parse_existing_lock(stderr: &str) -> Option<PathBuf> {
    if let Some((before, _)) = stderr.split_once("': File exists") {
        let (_, path) = before.rsplit_once("Unable to create '")?;
        return Some(PathBuf::from(path));
    }
    let (_, rest) = stderr.split_once("could not lock config file ")?;
    let (path, _) = rest.split_once(": File exists")?;
    Some(PathBuf::from(format!("{path}.lock")))
}

/// Returns the time since a file was last written, if it exists.
pub(crate) fn age_of_file(path: &Path) -> Option<Duration> {
    path.symlink_metadata().ok().map(|found| file_age(&found))
}

pub(crate) fn file_age(found: &Metadata) -> Duration {
    let time = clock_gettime(ClockId::Realtime);
    let now = nanoseconds(time.tv_sec, time.tv_nsec);
    let modified = now - nanoseconds(found.mtime(), found.mtime_nsec());
    // Where the clock was set back, or the file was written under a wrong one.
    let age = if modified < 0 { now - nanoseconds(found.ctime(), found.ctime_nsec()) } else { modified };
    Duration::from_nanos(u64::try_from(age.max(0)).unwrap_or(u64::MAX))
}

fn nanoseconds(seconds: i64, rest: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(rest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_existing_lock_is_parsed() {
        for (stderr, expected) in [
            (
                "fatal: Unable to create '/a b/.git/index.lock': File exists.\n\nAnother git process",
                Some("/a b/.git/index.lock"),
            ),
            (
                "fatal: update_ref failed: cannot lock ref 'refs/heads/x': Unable to create '/it's/refs/heads/x.lock': File exists.",
                Some("/it's/refs/heads/x.lock"),
            ),
            ("error: could not lock config file .git/config: File exists", Some(".git/config.lock")),
            ("fatal: Unable to create '/r/index.lock': Permission denied", None),
            ("", None),
        ] {
            assert_eq!(parse_existing_lock(stderr), expected.map(PathBuf::from), "{stderr}");
        }
    }

    #[test]
    fn the_age_of_a_file_is_never_negative() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let file = fs::File::create(&path).unwrap();
        assert!(age_of_file(&path).unwrap() < Duration::from_secs(60));
        let time = clock_gettime(ClockId::Realtime);
        let at = |seconds: i64| {
            std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.tv_sec + seconds).unwrap())
        };
        file.set_modified(at(-3_600)).unwrap();
        let age = age_of_file(&path).unwrap();
        assert!(age >= Duration::from_secs(3_600) && age < Duration::from_secs(3_700), "{age:?}");
        file.set_modified(at(3_600)).unwrap();
        assert!(age_of_file(&path).unwrap() < Duration::from_secs(60));
    }
}
