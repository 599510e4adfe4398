//! The folder of a mailbox, and reading and writing its files without following links.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};

/// The file that the server locks.
const LOCK: &str = "lock";

/// The file with the last answer, for every request after the server has ended.
const CLOSED: &str = "closed";

/// The folder of requests.
pub(super) const REQUESTS: &str = "requests";

/// The folder of answers.
pub(super) const ANSWERS: &str = "answers";

/// The largest answer that a client reads.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Opens a folder itself, and not what a link names.
pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Creates the folder with its parts, for this user alone, and takes its lock.
pub(super) fn create_mailbox(path: &Path) -> io::Result<OwnedFd> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        require_private(parent)?;
    }
    for folder in [path.to_owned(), path.join(REQUESTS), path.join(ANSWERS)] {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => require_private(&folder)?,
        }
    }
    match rustix::fs::unlink(path.join(CLOSED)) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::open(path.join(LOCK), flags, Mode::from_raw_mode(0o600))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Refuses a folder that is a link, or that others can enter or own.
fn require_private(folder: &Path) -> io::Result<()> {
    let found = rustix::fs::fstat(open_folder(folder)?)?;
    if found.st_uid != rustix::process::geteuid().as_raw() || found.st_mode & 0o077 != 0 {
        let text = format!("{} belongs to another user, or others can enter it", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

/// Returns whether a server lives behind the mailbox.
#[must_use]
pub fn is_mailbox_served(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(lock) = rustix::fs::open(path.join(LOCK), flags, Mode::empty()) else { return false };
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
}

/// Leaves the last answer in the mailbox of a server that has ended; does nothing where there is no mailbox.
///
/// # Errors
/// The file cannot be written.
pub fn close_mailbox(path: &Path, answer: &[u8]) -> io::Result<()> {
    match open_folder(path) {
        Ok(folder) => write_file(&folder, CLOSED, answer),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads the last answer of a mailbox whose server has ended.
pub(super) fn read_closing(path: &Path) -> Option<Vec<u8>> {
    read_file(&open_folder(path).ok()?, CLOSED, ANSWER_BYTES_MAX).ok()
}

/// Reads an answer; `None` while there is none.
pub(super) fn read_answer(answers: &OwnedFd, id: &str) -> io::Result<Option<Vec<u8>>> {
    match read_file(answers, &format!("{id}.json"), ANSWER_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file under a temporary name and renames it, so that readers see it whole.
pub(super) fn write_file(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!(".{name}.{}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(folder, temporary.as_str(), flags, Mode::from_raw_mode(0o600));
    let file = match open() {
        Err(rustix::io::Errno::EXIST) => {
            rustix::fs::unlinkat(folder, temporary.as_str(), AtFlags::empty())?;
            open()?
        }
        opened => opened?,
    };
    let written = File::from(file).write_all(bytes).and_then(|()| {
        rustix::fs::renameat(folder, temporary.as_str(), folder, name).map_err(io::Error::from)
    });
    if written.is_err() {
        let _ = rustix::fs::unlinkat(folder, temporary.as_str(), AtFlags::empty());
    }
    written
}

/// Reads a regular file of this user with one link, up to `bytes_max`.
pub(super) fn read_file(folder: &OwnedFd, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::openat(folder.as_fd(), name, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?;
    let is_plain = rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::RegularFile
        && found.st_nlink == 1
        && found.st_uid == rustix::process::geteuid().as_raw();
    if !is_plain {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file with one link"));
    }
    let mut bytes = Vec::new();
    File::from(file).take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(bytes)
}
