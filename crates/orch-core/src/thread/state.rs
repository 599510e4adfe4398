//! The thread machine: `queued → claimed ⇄ blocked → done | failed | cancelled`.

use crate::IllegalTransition;
use serde::Serialize;

/// A thread's state without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum ThreadStatus {
    /// Waits to be claimed.
    Queued,
    /// An agent works on it.
    Claimed,
    /// Its holder waits for an answer.
    Blocked,
    /// The work was done.
    Done,
    /// The work was given up.
    Failed,
    /// The thread was ended by somebody else.
    Cancelled,
}

impl ThreadStatus {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Claimed, Self::Blocked, Self::Done, Self::Failed, Self::Cancelled];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Blocked => "blocked",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_closed(self) -> bool {
        match self {
            Self::Queued | Self::Claimed | Self::Blocked => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// What can happen to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadEvent {
    /// An agent takes it, or takes it over after the lease was lost.
    Claim,
    /// The holder asks a question.
    Ask,
    /// The question is answered.
    Answer,
    /// The holder gives it back.
    Release,
    /// The holder reports that it is done.
    Finish,
    /// The holder gives up.
    Fail,
    /// Somebody else ends it.
    Cancel,
}

impl ThreadEvent {
    /// Every event.
    pub const ALL: [Self; 7] =
        [Self::Claim, Self::Ask, Self::Answer, Self::Release, Self::Finish, Self::Fail, Self::Cancel];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::Release => "release",
            Self::Finish => "done",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
        }
    }
}

/// The next state, or why there is none.
///
/// # Errors
/// The state does not allow the event.
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
