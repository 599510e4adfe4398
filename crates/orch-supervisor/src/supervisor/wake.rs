//! Sleeping until the store changes, something in this process finishes, or a timer fires.

use orch_core::time::TimeSpan;
use orch_inbox::wake::{PollOutcome, is_readable, wait_with_files};
use orch_inbox::{Error, Session};

use super::config::ListenerResponse;
use super::pass::{PassSummary, earliest};
use super::wake_counter::{WakeCounter, WakeSnapshot};
use super::wrapper_watch::WrapperWatch;

/// The longest sleep while the exit of a worker could go unnoticed.
const SLEEP_ATTENTIVE: TimeSpan = TimeSpan::from_seconds(2);

/// The longest sleep.
const SLEEP_MAX: TimeSpan = TimeSpan::from_seconds(60);

/// Sleeps until something has happened since the pass began, or a timer fires.
pub(super) fn sleep_until_wake(
    session: &mut Session,
    pass: &PassSummary,
    watch: &WrapperWatch,
    counter: &WakeCounter,
    before: WakeSnapshot,
    response: ListenerResponse,
) -> Result<(), Error> {
    let unwatched = pass.workers > watch.watched_count();
    let mut sleep_max = if unwatched { SLEEP_ATTENTIVE } else { SLEEP_MAX };
    if let ListenerResponse::WakeWithin(span) = response {
        sleep_max = sleep_max.min(span);
    }
    if let Some(retry) = pass.retry_in.and_then(|retry| i64::try_from(retry.as_millis()).ok()) {
        sleep_max = sleep_max.min(TimeSpan(retry.saturating_add(1)));
    }
    // A timer that was due when the pass began, and still is, belongs to another process.
    let next = earliest(pass.next.filter(|next| *next > before.at), pass.limit);
    let handles = watch.exit_handles();
    wait_with_files(session, sleep_max, &handles, |session| {
        let now = counter.take_snapshot(session)?;
        let changed = now.committed != before.committed || now.happened != before.happened;
        let exited = handles.iter().any(|handle| is_readable(*handle));
        let due = next.is_some_and(|next| now.at >= next);
        Ok(if changed || exited || due { PollOutcome::Found(()) } else { PollOutcome::NotYet(next) })
    })?;
    Ok(())
}
