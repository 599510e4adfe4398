//! The attempt machine.

use crate::IllegalTransition;

/// An attempt's state; the first five are live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptState {
    /// Its worktree is being made; its thread is not sent yet.
    Preparing,
    /// Its thread was sent and is not claimed.
    Dispatched,
    /// An agent works on it.
    Running,
    /// Its agent waits for an answer.
    Blocked,
    /// Its agent said that it is done.
    Reported,
    /// It counts: the task is done.
    Accepted,
    /// Its report was refused.
    Rejected,
    /// Its agent gave up, or its worktree could not be prepared.
    Failed,
    /// Its agent was not heard of for too long.
    Lost,
    /// The lead ended it without counting it.
    Recalled,
    /// The task was cancelled.
    Cancelled,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Preparing,
        Self::Dispatched,
        Self::Running,
        Self::Blocked,
        Self::Reported,
        Self::Accepted,
        Self::Rejected,
        Self::Failed,
        Self::Lost,
        Self::Recalled,
        Self::Cancelled,
    ];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Reported => "reported",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Recalled => "recalled",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it is still under way.
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

/// What can happen to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptEvent {
    /// Its thread was sent.
    Send,
    /// Its thread was claimed.
    Claim,
    /// Its worker asked a question.
    Ask,
    /// The question was answered.
    Answer,
    /// Its worker gave the work back.
    Release,
    /// Its worker said that it is done.
    Report,
    /// Its report counts.
    Accept,
    /// Its report was refused.
    Reject,
    /// Its worker gave up, or its worktree could not be prepared.
    Fail,
    /// Its lease was lost, or it was given back too often.
    Lose,
    /// The lead ended it without counting it.
    Recall,
    /// The task or the thread was cancelled.
    Cancel,
}

impl AttemptEvent {
    /// Every event.
    pub const ALL: [Self; 12] = [
        Self::Send,
        Self::Claim,
        Self::Ask,
        Self::Answer,
        Self::Release,
        Self::Report,
        Self::Accept,
        Self::Reject,
        Self::Fail,
        Self::Lose,
        Self::Recall,
        Self::Cancel,
    ];

    /// The name used in messages and in the generated table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Claim => "claim",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::Release => "release",
            Self::Report => "report",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Fail => "fail",
            Self::Lose => "lose",
            Self::Recall => "recall",
            Self::Cancel => "cancel",
        }
    }
}

/// The next state, or why there is none.
///
/// # Errors
/// The state does not allow the event.
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
        (AttemptState::Preparing, "Di -- -- -- -- -- -- -- Fa -- Rc Ca"),
        (AttemptState::Dispatched, "-- Ru -- -- -- Rp -- -- Fa Lo Rc Ca"),
        (AttemptState::Running, "-- -- Bl -- Di Rp -- -- Fa Lo Rc Ca"),
        (AttemptState::Blocked, "-- -- -- Ru Di Rp -- -- Fa Lo Rc Ca"),
        (AttemptState::Reported, "-- -- -- -- -- -- Ac Rj -- -- Rc Ca"),
        (AttemptState::Accepted, "-- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Rejected, "-- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Failed, "-- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Lost, "-- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Recalled, "-- -- -- -- -- -- -- -- -- -- -- --"),
        (AttemptState::Cancelled, "-- -- -- -- -- -- -- -- -- -- -- --"),
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
