//! Waiting until a file appears in a folder.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Instant;

use crate::poll::{poll_files, poll_readable};

/// Watches one folder: by inotify where there is one, else by looking at intervals.
#[derive(Debug)]
pub(super) struct FolderWatch {
    #[cfg(target_os = "linux")]
    events: Option<std::os::fd::OwnedFd>,
}

/// The interval of looks without inotify.
const LOOK_INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);

impl FolderWatch {
    /// Begins to watch; what is in the folder before is not reported.
    #[cfg(target_os = "linux")]
    pub(super) fn start(folder: &Path) -> Self {
        use rustix::fs::inotify;
        let watch = || {
            let events = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
            inotify::add_watch(
                &events,
                folder,
                inotify::WatchFlags::MOVED_TO
                    | inotify::WatchFlags::ONLYDIR
                    | inotify::WatchFlags::DONT_FOLLOW,
            )?;
            Ok::<_, rustix::io::Errno>(events)
        };
        // A user may have used up all of its watches.
        Self { events: watch().ok() }
    }

    /// Begins to watch; what is in the folder before is not reported.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn start(_folder: &Path) -> Self {
        Self {}
    }

    /// Waits until something may have appeared, until the deadline, or until `other` is readable; returns whether `other` is.
    pub(super) fn wait(&self, deadline: Option<Instant>, other: Option<BorrowedFd<'_>>) -> bool {
        let other = other.and_then(poll_readable);
        #[cfg(target_os = "linux")]
        if let Some(events) = &self.events {
            use std::os::fd::AsFd as _;
            let ([is_other, _], _) =
                poll_files([other, poll_readable(events.as_fd())], std::iter::empty(), deadline);
            let mut buffer = [0_u8; 4096];
            while rustix::io::read(events, &mut buffer).is_ok_and(|read| read > 0) {}
            return is_other;
        }
        let look = Instant::now() + LOOK_INTERVAL;
        let ([is_other], _) = poll_files(
            [other],
            std::iter::empty(),
            Some(deadline.map_or(look, |deadline| deadline.min(look))),
        );
        is_other
    }
}
