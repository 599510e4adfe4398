//! Flushing the commits of a report to disk before the report is recorded.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use orch_core::thread::{Thread, decide};
use orch_git::Repository;

use crate::renew::{RenewRequest, renew_lease};
use crate::{Error, Session};

/// The shortest interval between renewals.
const RENEWAL_MIN: Duration = Duration::from_millis(100);

/// Flushes the repository of a report, and renews the holder's lease as long as that takes.
pub(crate) fn flush_under_lease(
    session: &mut Session,
    repository: &Repository,
    thread: &Thread,
    token: &str,
) -> Result<(), Error> {
    let (first, interval) = renewal_times(session, thread);
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        scope.spawn(move || sender.send(repository.flush()));
        let mut wait = first;
        loop {
            match receiver.recv_timeout(wait) {
                Ok(flushed) => return Ok(flushed?),
                Err(RecvTimeoutError::Timeout) => {
                    let request = RenewRequest { thread: thread.id, token: token.to_owned(), lease: None };
                    // Without the lease the report will be refused.
                    let _ = renew_lease(session, None, &request);
                    wait = interval;
                }
                // The thread panicked, which the scope reports.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })
}

/// Returns when the lease is renewed first, and how often after that.
fn renewal_times(session: &Session, thread: &Thread) -> (Duration, Duration) {
    let Some(lease) = decide::running_lease(thread) else { return (Duration::MAX, Duration::MAX) };
    let milliseconds = |span: i64| Duration::from_millis(u64::try_from(span).unwrap_or(0)).max(RENEWAL_MIN);
    let interval = milliseconds(lease.length.span().0 / 3);
    let left = lease.expires_at - session.clock_now();
    (interval.min(milliseconds(left.0 / 2)), interval)
}
