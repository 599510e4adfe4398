//! Signs that a process lives, for processes that cannot see it: those of another container that shares a file system.
//!
//! A sign is a file, named after the process, whose lock the process holds. The kernel releases the lock when the
//! process ends, however it ends.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};

use crate::identity::{ProcessIdentity, host_id};

/// A sign this young is not judged: a process that replaces itself by another program holds no lock for a moment.
const YOUNG: Duration = Duration::from_secs(5);

/// Signs that killed processes left behind are removed when they are this old.
const OLD: Duration = Duration::from_secs(24 * 3_600);

/// The folders of this process, and the signs that it gives there.
struct PresenceRegistry {
    folders: Vec<PathBuf>,
    given: Vec<(PathBuf, OwnedFd)>,
}

static REGISTRY: Mutex<PresenceRegistry> =
    Mutex::new(PresenceRegistry { folders: Vec::new(), given: Vec::new() });

/// A panic in another thread leaves the lists whole.
fn registry() -> MutexGuard<'static, PresenceRegistry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names a folder in which processes give signs; nothing is written yet.
pub fn use_presence_folder(folder: &Path) {
    let mut registry = registry();
    if !registry.folders.iter().any(|known| known == folder) {
        registry.folders.push(folder.to_owned());
    }
}

/// Gives the sign of this process in each folder, until it ends or [`withdraw_presence`] is called.
///
/// Where that is impossible, others believe for a while that it lives, as they do without signs.
pub fn show_presence() {
    let name = sign_name(host_id(), &ProcessIdentity::of_current_process().to_string());
    let mut registry = registry();
    for folder in registry.folders.clone() {
        let path = folder.join(&name);
        if registry.given.iter().any(|(given, _)| *given == path) {
            continue;
        }
        match create_sign(&folder, &path) {
            Ok(lock) => registry.given.push((path, lock)),
            // Its store was removed, or is not ours to write; it is not tried again and again.
            Err(_) => registry.folders.retain(|known| *known != folder),
        }
    }
}

/// Takes back the signs of this process, which is about to end.
pub fn withdraw_presence() {
    for (path, lock) in std::mem::take(&mut registry().given) {
        let _ = std::fs::remove_file(path);
        drop(lock);
    }
}

/// Returns whether a process lives, as its sign says; `None` where there is no sign.
#[must_use]
pub fn find_presence(host: &str, process: &str) -> Option<bool> {
    let name = sign_name(host, process);
    let folders = registry().folders.clone();
    folders.iter().find_map(|folder| is_sign_held(&folder.join(&name)))
}

/// Removes the signs that killed processes left behind long ago.
pub fn sweep_presence_folders() {
    for folder in registry().folders.clone() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if age_of(&path).is_some_and(|age| age > OLD) && is_sign_held(&path) == Some(false) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Whether a process lives, as far as this process can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessLiveness {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It belongs to another host or container and gives no sign.
    Elsewhere,
}

/// Returns whether a process lives: by looking for it on its own host, and by its sign elsewhere.
#[must_use]
pub fn process_liveness(host: &str, process: &str) -> ProcessLiveness {
    let found = match host == host_id() {
        true => Some(process.parse().is_ok_and(ProcessIdentity::is_alive)),
        false => find_presence(host, process),
    };
    match found {
        Some(true) => ProcessLiveness::Alive,
        Some(false) => ProcessLiveness::Dead,
        None => ProcessLiveness::Elsewhere,
    }
}

fn sign_name(host: &str, process: &str) -> String {
    format!("{host}-{process}")
}

fn create_sign(folder: &Path, path: &Path) -> io::Result<OwnedFd> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    // The program that this one replaces may have made the file.
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    rustix::fs::futimens(&lock, &Timestamps { last_access: now, last_modification: now })?;
    Ok(lock)
}

/// Returns whether the process of a sign holds its lock; `None` where there is no sign.
fn is_sign_held(path: &Path) -> Option<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Some(age_of(path).is_none_or(|age| age < YOUNG)),
        Err(rustix::io::Errno::WOULDBLOCK) => Some(true),
        // The file system has no locks.
        Err(_) => None,
    }
}

/// Returns the age of a file; `None` for one from the future.
#[expect(
    clippy::disallowed_methods,
    reason = "files have times of the wall clock, and nothing else here does"
)]
fn age_of(path: &Path) -> Option<Duration> {
    let modified = path.metadata().and_then(|found| found.modified()).ok()?;
    SystemTime::now().duration_since(modified).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "files have times of the wall clock")]
    fn make_old(path: &Path, age: Duration) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now().checked_sub(age).unwrap()).unwrap();
    }

    #[test]
    fn a_sign_is_held_as_long_as_its_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let signs = folder.path().join("signs");
        let path = signs.join(sign_name("elsewhere", "1-2-3"));
        assert_eq!(is_sign_held(&path), None, "there is none");
        let lock = create_sign(&signs, &path).unwrap();
        make_old(&path, YOUNG * 2);
        assert_eq!(is_sign_held(&path), Some(true));
        drop(lock);
        assert_eq!(is_sign_held(&path), Some(false));
        make_old(&path, Duration::ZERO);
        assert_eq!(is_sign_held(&path), Some(true), "a young one is not judged");

        use_presence_folder(&signs);
        make_old(&path, OLD / 2);
        assert_eq!(find_presence("elsewhere", "1-2-3"), Some(false));
        sweep_presence_folders();
        assert!(path.exists(), "others may still ask for it");
        make_old(&path, OLD * 2);
        sweep_presence_folders();
        assert_eq!(find_presence("elsewhere", "1-2-3"), None);

        show_presence();
        let own = ProcessIdentity::of_current_process().to_string();
        assert_eq!(find_presence(host_id(), &own), Some(true));
        withdraw_presence();
        assert_eq!(find_presence(host_id(), &own), None);
    }
}
