//! The state machine of an attempt.

use crate::IllegalTransition;

named_enum! {
    /// An attempt's state; the first five are live.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum AttemptState {
        /// Its worktree is being created; its thread is not sent yet.
        Preparing = "preparing",
        /// Its thread was sent and is not claimed.
        Dispatched = "dispatched",
        /// An agent works on it.
        Running = "running",
        /// Its agent waits for an answer.
        Blocked = "blocked",
        /// Its agent reported that it is done.
        Reported = "reported",
        /// It was accepted: the task is done.
        Accepted = "accepted",
        /// Its report was rejected.
        Rejected = "rejected",
        /// Its agent reported a failure, or its worktree could not be prepared.
        Failed = "failed",
        /// Its lease was lost.
        Lost = "lost",
        /// The lead recalled it, which is not counted.
        Recalled = "recalled",
        /// The task was cancelled.
        Cancelled = "cancelled",
    }
}

impl AttemptState {
    /// Returns whether it has not ended.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            Self::Preparing | Self::Dispatched | Self::Running | Self::Blocked | Self::Reported => true,
            Self::Accepted
            | Self::Rejected
            | Self::Failed
            | Self::Lost
            | Self::Recalled
            | Self::Cancelled => false,
        }
    }
}

named_enum! {
    /// An event of the attempt's state machine.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum AttemptEvent {
        /// Its thread was sent.
        Send = "send",
        /// Its thread was claimed.
        Claim = "claim",
        /// Its worker asked a question.
        Ask = "ask",
        /// The question was answered.
        Answer = "answer",
        /// Its worker released the work.
        Release = "release",
        /// Its worker reported that it is done.
        Report = "report",
        /// Its report was accepted.
        Accept = "accept",
        /// Its report was rejected.
        Reject = "reject",
        /// Its worker reported a failure, or its worktree could not be prepared.
        Fail = "fail",
        /// Its lease was lost, or it was released too often.
        Lose = "lose",
        /// The lead recalled it, which is not counted.
        Recall = "recall",
        /// The task or the thread was cancelled.
        Cancel = "cancel",
        /// The lead asked for another verdict on its report.
        Reopen = "reopen",
    }
}

/// Returns the next state, or an error for an event that the state does not allow.
pub fn next_attempt_state(
    state: AttemptState,
    event: AttemptEvent,
) -> Result<AttemptState, IllegalTransition> {
    use AttemptEvent as E;
    use AttemptState as S;
    let illegal = Err(IllegalTransition { state: state.name(), event: event.name() });
    let (from, to): (&[S], S) = match event {
        E::Send => (&[S::Preparing], S::Dispatched),
        E::Claim => (&[S::Dispatched], S::Running),
        E::Ask => (&[S::Running], S::Blocked),
        E::Answer => (&[S::Blocked], S::Running),
        E::Release => (&[S::Running, S::Blocked], S::Dispatched),
        E::Report => (&[S::Dispatched, S::Running, S::Blocked], S::Reported),
        E::Accept => (&[S::Reported], S::Accepted),
        E::Reject => (&[S::Reported], S::Rejected),
        E::Fail => (&[S::Preparing, S::Dispatched, S::Running, S::Blocked], S::Failed),
        E::Lose => (&[S::Dispatched, S::Running, S::Blocked], S::Lost),
        E::Recall => (&LIVE, S::Recalled),
        E::Cancel => (&LIVE, S::Cancelled),
        E::Reopen => (&[S::Rejected], S::Reported),
    };
    if from.contains(&state) { Ok(to) } else { illegal }
}

/// The states of a live attempt.
const LIVE: [AttemptState; 5] = [
    AttemptState::Preparing,
    AttemptState::Dispatched,
    AttemptState::Running,
    AttemptState::Blocked,
    AttemptState::Reported,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// One row per state, one column per event in the order of `AttemptEvent::ALL`; `--` is illegal.
    const TABLE: [(AttemptState, &str); 11] = [
        (AttemptState::Preparing, "Di -- -- -- -- -- -- -- Fa -- Rc Ca --"),
        (AttemptState::Dispatched, "-- Ru -- -- -- Rp -- -- Fa Lo Rc Ca --"),
        (AttemptState::Running, "-- -- Bl -- Di Rp -- -- Fa Lo Rc Ca --"),
        (AttemptState::Blocked, "-- -- -- Ru Di Rp -- -- Fa Lo Rc Ca --"),
        (AttemptState::Reported, "-- -- -- -- -- -- Ac Rj -- -- Rc Ca --"),
        (AttemptState::Accepted, "-- -- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Rejected, "-- -- -- -- -- -- -- -- -- -- -- -- Rp"),
        (AttemptState::Failed, "-- -- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Lost, "-- -- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Recalled, "-- -- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Cancelled, "-- -- -- -- -- -- -- -- -- -- -- -- --"),
    ];

    fn short_name(state: AttemptState) -> &'static str {
        match state {
            AttemptState::Preparing => "Pr",
            AttemptState::Dispatched => "Di",
            AttemptState::Running => "Ru",
            AttemptState::Blocked => "Bl",
            AttemptState::Reported => "Rp",
            AttemptState::Accepted => "Ac",
            AttemptState::Rejected => "Rj",
            AttemptState::Failed => "Fa",
            AttemptState::Lost => "Lo",
            AttemptState::Recalled => "Rc",
            AttemptState::Cancelled => "Ca",
        }
    }

    #[test]
    fn every_pair_is_decided() {
        assert_eq!(TABLE.map(|(state, _)| state), AttemptState::ALL);
        for (state, row) in TABLE {
            let cells: Vec<&str> = row.split(' ').collect();
            assert_eq!(cells.len(), AttemptEvent::ALL.len());
            for (event, expected) in AttemptEvent::ALL.into_iter().zip(cells) {
                let got = next_attempt_state(state, event).map_or("--", short_name);
                assert_eq!(got, expected, "{} + {}", state.name(), event.name());
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for state in AttemptState::ALL {
            assert_eq!(AttemptState::parse(state.name()), Some(state));
        }
    }
}
