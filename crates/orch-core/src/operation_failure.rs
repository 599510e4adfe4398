//! Failures of operations outside the store: when an operation is tried again, and when it waits for a person.
//!
//! A counted failure is retried after each delay of [`limit::OPERATION_RETRY_DELAYS`]; one more, and the operation is stuck.
//! A failure that ends by itself, such as a full disk, is not counted: it is retried until it is over.

use crate::effect::EffectKind;
use crate::id::{AttemptName, Slug};
use crate::limit;
use crate::time::{Time, TimeSpan};

/// The number of retries after counted failures.
const RETRIES_MAX: u32 = limit::OPERATION_RETRY_DELAYS.len() as u32;

named_enum! {
    /// The cause of a failure, as far as it says what helps.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum OperationFaultCause {
        /// The disk is full.
        DiskFull = "disk_full",
        /// Another process holds a lock.
        StoreBusy = "store_busy",
        /// The store cannot be reached.
        StoreUnavailable = "store_unavailable",
        /// The hub, or the network to it, cannot be reached.
        HubUnreachable = "hub_unreachable",
        /// A process that cannot be seen may be at work on it.
        Unseen = "unseen",
        /// Permissions do not allow it.
        NotPermitted = "not_permitted",
        /// A lock file is left.
        Locked = "locked",
        /// Git is not installed, or too old.
        GitMissing = "git_missing",
        /// A worktree has changes or an unfinished operation of git.
        TreeDirty = "tree_dirty",
        /// The repository, a branch or a commit is missing.
        Missing = "missing",
        /// Another cause.
        Other = "other",
    }
}

impl OperationFaultCause {
    /// Returns whether a failure counts; one that ends by itself does not.
    #[must_use]
    pub fn counts(self) -> bool {
        match self {
            Self::DiskFull
            | Self::StoreBusy
            | Self::StoreUnavailable
            | Self::HubUnreachable
            | Self::Unseen => false,
            Self::NotPermitted
            | Self::Locked
            | Self::GitMissing
            | Self::TreeDirty
            | Self::Missing
            | Self::Other => true,
        }
    }
}

/// A failure of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationFailure {
    /// Its cause.
    pub cause: OperationFaultCause,
    /// The error with its causes, in full sentences.
    pub message: String,
    /// The command that failed, if a command did.
    pub command: Option<String>,
    /// The exit status of that command, if it exited with one.
    pub exit_status: Option<i32>,
    /// The last lines of what it printed.
    pub last_lines: Vec<String>,
    /// The file or folder that it is about.
    pub path: Option<String>,
}

/// The failures of a pending operation since it last succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationRetries {
    /// The number of counted failures.
    pub failures: u32,
    /// The number of failures in a row that are not counted.
    pub waits: u32,
    /// When it is tried again; `None` for at once, or not by itself.
    pub retry_at: Option<Time>,
    /// The last failure.
    pub last: Option<OperationFailure>,
}

/// A pending operation that failed when it was last tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedOperation {
    /// Its kind.
    pub effect: EffectKind,
    /// The run.
    pub run: Slug,
    /// The attempt that it is about, or that it was merging.
    pub attempt: Option<AttemptName>,
    /// Whether it is not tried again by itself.
    pub stuck: bool,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// Its last failure.
    pub failure: OperationFailure,
}

/// What a failure means for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureNews {
    /// It is tried again, as was known.
    None,
    /// It is tried again until a condition is over that began now, or has just lasted long enough to be reported.
    EpisodeBegan,
    /// It is not tried again by itself.
    BecameStuck,
}

/// What an operation that is stuck blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StuckScope {
    /// The run, which is paused.
    Run,
    /// One task.
    Task,
    /// Nothing but the operation itself.
    Nothing,
}

impl OperationRetries {
    /// Returns whether the operation is not tried again by itself.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.failures > RETRIES_MAX
    }

    /// Returns whether the operation may be tried now.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        // A time further off than the longest delay was set by a clock that was wrong.
        let is_over = |at: Time| at <= now || at > now + limit::OPERATION_BACKOFF_MAX;
        !self.is_stuck() && self.retry_at.is_none_or(is_over)
    }

    /// Returns the retries after another failure, and what it means.
    #[must_use]
    pub fn after_failure(&self, failure: OperationFailure, now: Time) -> (Self, FailureNews) {
        if failure.cause.counts() {
            // A checkout with changes stays as it is until a person acts, so that trying again is of no use.
            let delays = match failure.cause {
                OperationFaultCause::TreeDirty => &[],
                _ => &limit::OPERATION_RETRY_DELAYS[..],
            };
            let before = usize::try_from(self.failures).unwrap_or(usize::MAX);
            let delay = delays.get(before).copied();
            let failures = match delay {
                Some(_) => self.failures.saturating_add(1),
                None => self.failures.max(RETRIES_MAX).saturating_add(1),
            };
            let after =
                Self { failures, waits: 0, retry_at: delay.map(|delay| now + delay), last: Some(failure) };
            let is_news = delay.is_none() && !self.is_stuck();
            return (after, if is_news { FailureNews::BecameStuck } else { FailureNews::None });
        }
        let waits = self.waits.saturating_add(1);
        // A lock is usually held for an instant.
        let told_at =
            if failure.cause == OperationFaultCause::StoreBusy { limit::BUSY_FAILURES_TOLD } else { 1 };
        let news = if waits == told_at { FailureNews::EpisodeBegan } else { FailureNews::None };
        let retry_at = (!self.is_stuck()).then(|| now + backoff_delay(waits));
        (Self { failures: self.failures, waits, retry_at, last: Some(failure) }, news)
    }
}

/// Returns the delay after so many failures in a row that are not counted: it doubles, up to a minute.
#[must_use]
pub fn backoff_delay(waits: u32) -> TimeSpan {
    let first = limit::OPERATION_RETRY_DELAYS[0].0;
    TimeSpan(first << waits.saturating_sub(1).min(10)).min(limit::OPERATION_BACKOFF_MAX)
}

/// Returns what is blocked while an operation of this kind is stuck.
#[must_use]
pub fn stuck_scope(kind: EffectKind) -> StuckScope {
    match kind {
        EffectKind::Branch | EffectKind::Baseline | EffectKind::Integrate => StuckScope::Run,
        EffectKind::Prepare | EffectKind::Verify => StuckScope::Task,
        EffectKind::Clear
        | EffectKind::Restore
        | EffectKind::Land
        | EffectKind::Sync
        | EffectKind::Repair
        | EffectKind::Sweep
        | EffectKind::Remove => StuckScope::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: OperationFaultCause) -> OperationFailure {
        OperationFailure {
            cause,
            message: "It failed.".to_owned(),
            command: None,
            exit_status: None,
            last_lines: Vec::new(),
            path: None,
        }
    }

    /// The delays after failures of a cause, and the news of each.
    fn fail_often(cause: OperationFaultCause, times: usize) -> Vec<(Option<i64>, FailureNews)> {
        let mut retries = OperationRetries::default();
        let now = Time(1_000_000);
        let fail = |_| {
            let (after, news) = retries.after_failure(failure(cause), now);
            retries = after;
            (retries.retry_at.map(|at| (at - now).0 / 1_000), news)
        };
        (0..times).map(fail).collect()
    }

    #[test]
    fn what_only_a_person_can_change_is_told_at_once() {
        let expected = [(None, FailureNews::BecameStuck), (None, FailureNews::None)];
        assert_eq!(fail_often(OperationFaultCause::TreeDirty, 2), expected);
    }

    #[test]
    fn a_counted_failure_is_retried_three_times_and_then_told() {
        use FailureNews as N;
        let expected = [
            (Some(1), N::None),
            (Some(10), N::None),
            (Some(60), N::None),
            (None, N::BecameStuck),
            (None, N::None),
        ];
        assert_eq!(fail_often(OperationFaultCause::Other, 5), expected);
    }

    #[test]
    fn what_ends_by_itself_is_retried_for_ever_and_told_once() {
        let told = fail_often(OperationFaultCause::DiskFull, 9);
        assert_eq!(told.iter().filter(|(_, news)| *news == FailureNews::EpisodeBegan).count(), 1);
        assert_eq!(told[0], (Some(1), FailureNews::EpisodeBegan));
        assert_eq!(told.last(), Some(&(Some(60), FailureNews::None)));
        let busy = fail_often(OperationFaultCause::StoreBusy, 9);
        assert_eq!(busy.iter().filter(|(_, news)| *news == FailureNews::EpisodeBegan).count(), 1);
        assert_eq!(busy[0].1, FailureNews::None, "a lock that is held for an instant is not told");
    }

    #[test]
    fn a_stuck_operation_stays_stuck_while_the_disk_is_full() {
        let mut retries = OperationRetries::default();
        for _ in 0..4 {
            retries = retries.after_failure(failure(OperationFaultCause::Other), Time(0)).0;
        }
        assert!(retries.is_stuck() && !retries.is_due(Time(i64::MAX)));
        let after = retries.after_failure(failure(OperationFaultCause::DiskFull), Time(0)).0;
        assert!(after.is_stuck() && after.retry_at.is_none());
    }
}
