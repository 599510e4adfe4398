//! One wait for several files, of which each may be absent.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

/// A file and what it is awaited for; nothing where it is not there or not asked.
pub(super) type PollTarget<'a> = Option<(BorrowedFd<'a>, PollFlags)>;

/// Awaits that this can be read.
pub(super) fn poll_readable(file: BorrowedFd<'_>) -> PollTarget<'_> {
    Some((file, PollFlags::IN))
}

/// Awaits that this can be written.
pub(super) fn poll_writable(file: BorrowedFd<'_>) -> PollTarget<'_> {
    Some((file, PollFlags::OUT))
}

/// Waits until one of them is ready or it is due, and says which of the first are, and whether one of the others is.
///
/// A file that is not asked is left out: its being closed at the other end would be told without end.
pub(super) fn poll_files<'a, const N: usize>(
    first: [PollTarget<'a>; N],
    others: impl Iterator<Item = BorrowedFd<'a>>,
    due: Option<Instant>,
) -> ([bool; N], bool) {
    let others = others.map(poll_readable);
    let asked = first.into_iter().chain(others).flatten();
    let mut places: Vec<PollFd<'_>> =
        asked.map(|(file, flags)| PollFd::from_borrowed_fd(file, flags)).collect();
    // An interrupted call is as good as one that timed out: who waits comes back.
    let _ = rustix::event::poll(&mut places, due.map(timeout_until).as_ref());
    let mut ready = places.iter().map(|place| !place.revents().is_empty());
    let first = first.map(|place| place.is_some() && ready.next().unwrap_or_default());
    (first, ready.any(|ready| ready))
}

/// How long it is until then, or as much of it as can be waited for at once.
fn timeout_until(due: Instant) -> Timespec {
    let left = due.saturating_duration_since(Instant::now());
    Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::from(i32::MAX / 1000), tv_nsec: 0 })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};
    use std::os::fd::AsFd as _;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_is_asked_is_told() {
        let (quiet, _open) = io::pipe().unwrap();
        let (full, mut write) = io::pipe().unwrap();
        write.write_all(b"x").unwrap();
        let (closed, end) = io::pipe().unwrap();
        drop(end);
        let due = Some(Instant::now() + Duration::from_secs(60));
        let asked = [
            None,
            poll_readable(quiet.as_fd()),
            poll_readable(full.as_fd()),
            poll_writable(write.as_fd()),
            None,
        ];
        assert_eq!(poll_files(asked, std::iter::empty(), due), ([false, false, true, true, false], false));
        let others = [quiet.as_fd(), closed.as_fd()];
        assert_eq!(poll_files([poll_readable(quiet.as_fd())], others.into_iter(), due), ([false], true));
        let past = Some(Instant::now());
        assert_eq!(
            poll_files([None, poll_readable(quiet.as_fd())], std::iter::empty(), past),
            ([false, false], false)
        );
    }
}
