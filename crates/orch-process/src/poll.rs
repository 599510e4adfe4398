//! Waiting for several files at once, each of which may be absent.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

/// A file and the readiness to wait for; `None` if the file is absent or not of interest.
pub(crate) type PollTarget<'a> = Option<(BorrowedFd<'a>, PollFlags)>;

/// Waits until this file is readable.
pub(crate) fn poll_readable(file: BorrowedFd<'_>) -> PollTarget<'_> {
    Some((file, PollFlags::IN))
}

/// Waits until this file is writable.
pub(crate) fn poll_writable(file: BorrowedFd<'_>) -> PollTarget<'_> {
    Some((file, PollFlags::OUT))
}

/// Waits until a file is ready or the deadline passes; returns which targets are ready, and whether any handle is.
///
/// A file without a target is left out of the poll, because a closed pipe would report its end forever.
pub(crate) fn poll_files<'a, const N: usize>(
    targets: [PollTarget<'a>; N],
    handles: impl Iterator<Item = BorrowedFd<'a>>,
    deadline: Option<Instant>,
) -> ([bool; N], bool) {
    let polled = targets.into_iter().chain(handles.map(poll_readable)).flatten();
    let mut polled: Vec<PollFd<'_>> =
        polled.map(|(file, flags)| PollFd::from_borrowed_fd(file, flags)).collect();
    // An interrupted call counts as a timeout: the caller polls again.
    let _ = rustix::event::poll(&mut polled, deadline.map(timeout_until).as_ref());
    let mut ready = polled.iter().map(|file| !file.revents().is_empty());
    let targets = targets.map(|target| target.is_some() && ready.next().unwrap_or_default());
    (targets, ready.any(|ready| ready))
}

/// Returns the time until a deadline, capped at what poll(2) accepts.
fn timeout_until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::from(i32::MAX / 1000), tv_nsec: 0 })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};
    use std::os::fd::AsFd as _;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_polled_files_are_reported() {
        let (quiet, _writer) = io::pipe().unwrap();
        let (full, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let (closed, closed_writer) = io::pipe().unwrap();
        drop(closed_writer);
        let deadline = Some(Instant::now() + Duration::from_secs(60));
        let targets = [
            None,
            poll_readable(quiet.as_fd()),
            poll_readable(full.as_fd()),
            poll_writable(writer.as_fd()),
            None,
        ];
        assert_eq!(
            poll_files(targets, std::iter::empty(), deadline),
            ([false, false, true, true, false], false)
        );
        let handles = [quiet.as_fd(), closed.as_fd()];
        assert_eq!(
            poll_files([poll_readable(quiet.as_fd())], handles.into_iter(), deadline),
            ([false], true)
        );
        let past = Some(Instant::now());
        assert_eq!(
            poll_files([None, poll_readable(quiet.as_fd())], std::iter::empty(), past),
            ([false, false], false)
        );
    }
}
