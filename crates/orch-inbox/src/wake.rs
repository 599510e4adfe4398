//! Waking processes that wait, within a fraction of a millisecond.
//!
//! A waiter binds a datagram socket in a folder beside the store, then looks, then blocks.
//! Whoever commits sends one byte to every socket there. A lost byte costs latency, never correctness:
//! once a second a waiter looks at the store's change counter by itself.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use orch_core::time::{Time, TimeSpan};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::{Error, Session};

/// How often a waiter looks at the change counter when nobody wakes it.
const NET: Duration = Duration::from_secs(1);

/// How often it does where no socket can be bound.
const NET_WITHOUT_SOCKET: Duration = Duration::from_millis(50);

/// The longest path of a socket that every system takes.
const PATH_BYTES_MAX: usize = 100;

/// Where waiters of a store have their sockets.
fn sockets_folder(store_folder: &Path) -> PathBuf {
    store_folder.join("wake")
}

/// Tells every waiter of the store to look. Nothing here may fail a command that has committed.
pub fn signal_waiters(store_folder: &Path) {
    let folder = sockets_folder(store_folder);
    let Ok(entries) = std::fs::read_dir(&folder) else { return };
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(reach) = SocketFolder::open_folder(&folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        match socket.send_to(&[1], reach.socket_path(Path::new(&name))) {
            // Its process is gone.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let _ = std::fs::remove_file(entry.path());
            }
            // A full buffer means that it has been told already.
            _ => {}
        }
    }
}

/// A folder's path in a form short enough for a socket's address.
struct SocketFolder {
    base: PathBuf,
    _open: Option<std::fs::File>,
}

impl SocketFolder {
    fn open_folder(folder: &Path) -> std::io::Result<Self> {
        if folder.as_os_str().len() + 24 <= PATH_BYTES_MAX {
            return Ok(Self { base: folder.to_owned(), _open: None });
        }
        let open = std::fs::File::open(folder)?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&open);
        Ok(Self { base: PathBuf::from(format!("/proc/self/fd/{number}")), _open: Some(open) })
    }

    fn socket_path(&self, name: &Path) -> PathBuf {
        self.base.join(name)
    }
}

/// A socket that commits of others reach.
struct WakeSocket {
    socket: Option<UnixDatagram>,
    path: PathBuf,
}

impl WakeSocket {
    fn bind(store_folder: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = sockets_folder(store_folder);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(&name);
        let socket = Self::bind_socket(&folder, Path::new(&name)).ok();
        Self { socket, path }
    }

    fn bind_socket(folder: &Path, name: &Path) -> std::io::Result<UnixDatagram> {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // A process of the same number may have left one behind.
        let _ = std::fs::remove_file(folder.join(name));
        let socket = UnixDatagram::bind(SocketFolder::open_folder(folder)?.socket_path(name))?;
        // It is read when there is something, and waited for together with others.
        socket.set_nonblocking(true)?;
        // Like every other file of the store, it is its owner's alone.
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.join(name), owner_only)?;
        Ok(socket)
    }

    /// How long it may block before the change counter is looked at.
    fn fallback_interval(&self) -> Duration {
        if self.socket.is_some() { NET } else { NET_WITHOUT_SOCKET }
    }

    /// Blocks until told, until one of these files can be read, or until `limit` has passed; says whether it was not the
    /// last.
    #[expect(clippy::disallowed_methods, reason = "without a socket nobody can wake it")]
    fn block_until_readable(&self, limit: Duration, files: &[BorrowedFd<'_>]) -> bool {
        let limit = limit.max(Duration::from_micros(100));
        if self.socket.is_none() && files.is_empty() {
            std::thread::sleep(limit);
            return false;
        }
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        let all = socket.iter().chain(files);
        let mut places: Vec<PollFd<'_>> =
            all.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        // An interrupted call is as good as one that timed out.
        let told = rustix::event::poll(&mut places, Timespec::try_from(limit).ok().as_ref());
        if let Some(socket) = &self.socket {
            while socket.recv(&mut [0; 8]).is_ok() {}
        }
        told.is_ok_and(|told| told > 0)
    }
}

/// Whether a file can be read now, or has come to its end.
pub fn is_readable(file: BorrowedFd<'_>) -> bool {
    let mut places = [PollFd::from_borrowed_fd(file, PollFlags::IN)];
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut places, Some(&none)).is_ok_and(|ready| ready > 0)
}

impl Drop for WakeSocket {
    fn drop(&mut self) {
        if self.socket.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What commits ring, for a reader that also looks at something outside the store.
pub struct CommitListener(WakeSocket);

impl CommitListener {
    /// From now on it rings.
    pub fn bind(store_folder: &Path) -> Self {
        Self(WakeSocket::bind(store_folder))
    }

    /// Blocks until it rings or `limit` has passed.
    pub fn wait(&self, limit: Duration) {
        self.0.block_until_readable(limit.min(self.0.fallback_interval()), &[]);
    }
}

/// What a look at the store found.
pub enum PollOutcome<T> {
    /// What was waited for.
    Found(T),
    /// Nothing yet; something may come at that time by itself. A time that has come already is not waited for:
    /// what was due at the look and still stands is for somebody else to take.
    NotYet(Option<Time>),
}

/// Looks until something is found or the time is up; `None` when it is up.
pub fn wait_until<T>(
    session: &mut Session,
    timeout: TimeSpan,
    look: impl FnMut(&mut Session) -> Result<PollOutcome<T>, Error>,
) -> Result<Option<T>, Error> {
    wait_with_files(session, timeout, &[], look)
}

/// The same; it is also looked when one of these files can be read. The look has to find something then.
pub fn wait_with_files<T>(
    session: &mut Session,
    timeout: TimeSpan,
    files: &[BorrowedFd<'_>],
    mut look: impl FnMut(&mut Session) -> Result<PollOutcome<T>, Error>,
) -> Result<Option<T>, Error> {
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(timeout.0).unwrap_or(0));
    if let PollOutcome::Found(found) = look(session)? {
        return Ok(Some(found));
    }
    let waiter = WakeSocket::bind(session.store_folder());
    loop {
        let seen = session.change_counter()?;
        let looked_at = session.clock_now();
        let until = match look(session)? {
            PollOutcome::Found(found) => return Ok(Some(found)),
            PollOutcome::NotYet(until) => until.filter(|at| *at > looked_at),
        };
        if !block_until_change(session, (&waiter, files), deadline, until, seen)? {
            return Ok(None);
        }
    }
}

/// Blocks until there may be something new; `false` when the time is up.
fn block_until_change(
    session: &mut Session,
    (waiter, files): (&WakeSocket, &[BorrowedFd<'_>]),
    deadline: Instant,
    until: Option<Time>,
    seen: i64,
) -> Result<bool, Error> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // Asked each time: the clock goes on while the machine sleeps, and may be set.
        let ahead = until.map(|at| (at - session.clock_now()).0);
        if ahead.is_some_and(|ahead| ahead <= 0) {
            return Ok(true);
        }
        let ahead = ahead.map_or(left, |ahead| Duration::from_millis(u64::try_from(ahead).unwrap_or(0)));
        let told = waiter.block_until_readable(ahead.min(left).min(waiter.fallback_interval()), files);
        if told || session.change_counter()? != seen {
            return Ok(true);
        }
    }
}
