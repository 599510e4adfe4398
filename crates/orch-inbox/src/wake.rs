//! Wakes waiting processes within a fraction of a millisecond.
//!
//! A waiter binds a datagram socket in a folder beside the store, then polls the store, then blocks.
//! A process that commits sends one byte to every socket there.
//! A lost byte costs latency, never correctness: once a second a waiter reads the store's change counter.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use orch_core::time::{Time, TimeSpan};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::{Error, Session};

/// How often a waiter reads the change counter when nothing wakes it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often a waiter reads the change counter when no socket can be bound.
const POLL_INTERVAL_WITHOUT_SOCKET: Duration = Duration::from_millis(50);

/// The longest socket path that every system supports.
const PATH_BYTES_MAX: usize = 100;

/// Returns the folder for the sockets of a store's waiters.
fn sockets_folder(store_folder: &Path) -> PathBuf {
    store_folder.join("wake")
}

/// Wakes every waiter of a store. An error is ignored: the command has committed.
pub fn signal_waiters(store_folder: &Path) {
    let folder = sockets_folder(store_folder);
    let Ok(entries) = std::fs::read_dir(&folder) else { return };
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(sockets) = SocketFolder::open_folder(&folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        match socket.send_to(&[1], sockets.socket_path(Path::new(&name))) {
            // Its process has ended.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let _ = std::fs::remove_file(entry.path());
            }
            // A full buffer means that the waiter has a signal already.
            _ => {}
        }
    }
}

/// A folder of sockets, with a path that is short enough for a socket address.
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

/// A socket that receives a byte for each commit of another process.
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
            Err(_) => {}
            Ok(()) => orch_process::ownership::follow_folder_owner(folder)?,
        }
        // An earlier process with this id may have left a socket behind.
        let _ = std::fs::remove_file(folder.join(name));
        let socket = UnixDatagram::bind(SocketFolder::open_folder(folder)?.socket_path(name))?;
        // It is polled together with other files.
        socket.set_nonblocking(true)?;
        // Every file of the store is private to its owner.
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.join(name), owner_only)?;
        Ok(socket)
    }

    /// Returns how long to block before the change counter is read.
    fn poll_interval(&self) -> Duration {
        if self.socket.is_some() { POLL_INTERVAL } else { POLL_INTERVAL_WITHOUT_SOCKET }
    }

    /// Blocks until a commit, until one of these files is readable, or until `limit`; returns `false` for the limit.
    #[expect(clippy::disallowed_methods, reason = "nothing can wake a waiter without a socket")]
    fn block_until_readable(&self, limit: Duration, files: &[BorrowedFd<'_>]) -> bool {
        let limit = limit.max(Duration::from_micros(100));
        if self.socket.is_none() && files.is_empty() {
            std::thread::sleep(limit);
            return false;
        }
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        let all = socket.iter().chain(files);
        let mut polled: Vec<PollFd<'_>> =
            all.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        // An interrupted call counts as a timeout, unless a byte came meanwhile.
        let ready = rustix::event::poll(&mut polled, Timespec::try_from(limit).ok().as_ref());
        let mut is_woken = ready.is_ok_and(|ready| ready > 0);
        if let Some(socket) = &self.socket {
            while socket.recv(&mut [0; 8]).is_ok() {
                is_woken = true;
            }
        }
        is_woken
    }
}

/// Returns whether a file is readable now, or at its end.
pub fn is_readable(file: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(file, PollFlags::IN)];
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&none)).is_ok_and(|ready| ready > 0)
}

impl Drop for WakeSocket {
    fn drop(&mut self) {
        if self.socket.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Blocks for a while, without a store; a file that becomes readable ends it.
pub fn pause_for(limit: Duration, file: Option<BorrowedFd<'_>>) {
    let silent = WakeSocket { socket: None, path: PathBuf::new() };
    let files: Vec<BorrowedFd<'_>> = file.into_iter().filter(|file| !is_readable(*file)).collect();
    silent.block_until_readable(limit, &files);
}

/// Waits for commits, for a reader that also reads something outside the store.
pub struct CommitListener(WakeSocket);

impl CommitListener {
    /// Starts listening.
    pub fn bind(store_folder: &Path) -> Self {
        Self(WakeSocket::bind(store_folder))
    }

    /// Blocks until a commit, or until `limit`.
    pub fn wait(&self, limit: Duration) {
        self.0.block_until_readable(limit.min(self.0.poll_interval()), &[]);
    }
}

/// The result of polling the store.
pub enum PollOutcome<T> {
    /// The awaited value.
    Found(T),
    /// Nothing yet. At this time something may become due without a commit.
    ///
    /// A time that has passed is ignored: what was due at the poll is another process's to take.
    NotYet(Option<Time>),
}

/// Polls until something is found; returns `None` at the timeout.
pub fn wait_until<T>(
    session: &mut Session,
    timeout: TimeSpan,
    poll: impl FnMut(&mut Session) -> Result<PollOutcome<T>, Error>,
) -> Result<Option<T>, Error> {
    wait_with_files(session, timeout, &[], poll)
}

/// Polls until something is found, also when one of these files is readable; `poll` must find something then.
pub fn wait_with_files<T>(
    session: &mut Session,
    timeout: TimeSpan,
    files: &[BorrowedFd<'_>],
    mut poll: impl FnMut(&mut Session) -> Result<PollOutcome<T>, Error>,
) -> Result<Option<T>, Error> {
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(timeout.0).unwrap_or(0));
    if let PollOutcome::Found(found) = poll(session)? {
        return Ok(Some(found));
    }
    let socket = WakeSocket::bind(session.store_folder());
    loop {
        let counter = session.change_counter()?;
        let polled_at = session.clock_now();
        let until = match poll(session)? {
            PollOutcome::Found(found) => return Ok(Some(found)),
            PollOutcome::NotYet(until) => until.filter(|at| *at > polled_at),
        };
        if !block_until_change(session, (&socket, files), deadline, until, counter)? {
            return Ok(None);
        }
    }
}

/// Blocks until there may be something new; returns `false` at the deadline.
fn block_until_change(
    session: &mut Session,
    (socket, files): (&WakeSocket, &[BorrowedFd<'_>]),
    deadline: Instant,
    until: Option<Time>,
    counter: i64,
) -> Result<bool, Error> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // Read each time: the clock advances while the machine is suspended, and can be set.
        let ahead = until.map(|at| (at - session.clock_now()).0);
        if ahead.is_some_and(|ahead| ahead <= 0) {
            return Ok(true);
        }
        let ahead = ahead.map_or(left, |ahead| Duration::from_millis(u64::try_from(ahead).unwrap_or(0)));
        let is_woken = socket.block_until_readable(ahead.min(left).min(socket.poll_interval()), files);
        if is_woken || session.change_counter()? != counter {
            return Ok(true);
        }
    }
}
