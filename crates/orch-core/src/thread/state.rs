//! The state machine of a thread: `queued → claimed ⇄ blocked → done | failed | cancelled`.

use crate::IllegalTransition;
use serde::Serialize;

named_enum! {
    /// A thread's state without its data.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
    pub enum ThreadStatus {
        /// It waits to be claimed.
        Queued = "queued",
        /// An agent works on it.
        Claimed = "claimed",
        /// Its holder waits for an answer.
        Blocked = "blocked",
        /// The work was done.
        Done = "done",
        /// The work failed.
        Failed = "failed",
        /// The thread was cancelled.
        Cancelled = "cancelled",
    }
}

impl ThreadStatus {
    /// Returns whether the state is final.
    #[must_use]
    pub fn is_closed(self) -> bool {
        match self {
            Self::Queued | Self::Claimed | Self::Blocked => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }
}

named_enum! {
    /// An event of the thread's state machine.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ThreadEvent {
        /// An agent claims it, possibly after the lease of another one was lost.
        Claim = "claim",
        /// The holder asks a question.
        Ask = "ask",
        /// The question is answered or withdrawn.
        Answer = "answer",
        /// The holder releases it.
        Release = "release",
        /// The holder reports that it is done.
        Finish = "done",
        /// The holder gives up.
        Fail = "fail",
        /// It is cancelled.
        Cancel = "cancel",
    }
}

/// Returns the next state, or an error for an event that the state does not allow.
pub fn next_thread_status(
    status: ThreadStatus,
    event: ThreadEvent,
) -> Result<ThreadStatus, IllegalTransition> {
    use ThreadEvent as E;
    use ThreadStatus as S;
    match (status, event) {
        (S::Queued | S::Claimed, E::Claim) | (S::Blocked, E::Answer) => Ok(S::Claimed),
        (S::Claimed, E::Ask) => Ok(S::Blocked),
        (S::Claimed | S::Blocked, E::Release) => Ok(S::Queued),
        (S::Claimed | S::Blocked, E::Finish) => Ok(S::Done),
        (S::Claimed | S::Blocked, E::Fail) => Ok(S::Failed),
        (S::Queued | S::Claimed | S::Blocked, E::Cancel) => Ok(S::Cancelled),
        (S::Queued, E::Ask | E::Answer | E::Release | E::Finish | E::Fail)
        | (S::Claimed, E::Answer)
        | (S::Blocked, E::Claim | E::Ask)
        | (
            S::Done | S::Failed | S::Cancelled,
            E::Claim | E::Ask | E::Answer | E::Release | E::Finish | E::Fail | E::Cancel,
        ) => Err(IllegalTransition { state: status.name(), event: event.name() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_decided() {
        use ThreadStatus as S;
        // One row per state, one column per event in the order of `ThreadEvent::ALL`; `None` is illegal.
        let table = [
            (S::Queued, [Some(S::Claimed), None, None, None, None, None, Some(S::Cancelled)]),
            (
                S::Claimed,
                [
                    Some(S::Claimed),
                    Some(S::Blocked),
                    None,
                    Some(S::Queued),
                    Some(S::Done),
                    Some(S::Failed),
                    Some(S::Cancelled),
                ],
            ),
            (
                S::Blocked,
                [
                    None,
                    None,
                    Some(S::Claimed),
                    Some(S::Queued),
                    Some(S::Done),
                    Some(S::Failed),
                    Some(S::Cancelled),
                ],
            ),
            (S::Done, [None; 7]),
            (S::Failed, [None; 7]),
            (S::Cancelled, [None; 7]),
        ];
        assert_eq!(table.map(|(status, _)| status), S::ALL);
        for (status, row) in table {
            for (event, expected) in ThreadEvent::ALL.into_iter().zip(row) {
                assert_eq!(
                    next_thread_status(status, event).ok(),
                    expected,
                    "{} {}",
                    status.name(),
                    event.name()
                );
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for status in ThreadStatus::ALL {
            assert_eq!(ThreadStatus::parse(status.name()), Some(status));
        }
        assert_eq!(ThreadStatus::parse("lost"), None);
    }
}
