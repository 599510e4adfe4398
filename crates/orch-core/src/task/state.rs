//! The state machine of a task.

use crate::IllegalTransition;
use serde::Serialize;

named_enum! {
    /// A task's state.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
    pub enum TaskState {
        /// A dependency is not done.
        Waiting = "waiting",
        /// It can be dispatched.
        Ready = "ready",
        /// It was sent to an agent that has not claimed it.
        Dispatched = "dispatched",
        /// An agent works on it.
        Running = "running",
        /// Its agent waits for an answer.
        Blocked = "blocked",
        /// Its agent reported that it is done; the run's `done_when` is not met yet.
        Reported = "reported",
        /// It is done.
        Done = "done",
        /// It failed and has no attempts left.
        Failed = "failed",
        /// A dependency failed, was cancelled or was skipped.
        Skipped = "skipped",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

impl TaskState {
    /// Returns its index in [`TaskState::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Returns whether the task changes no more without a request.
    #[must_use]
    pub fn is_finished(self) -> bool {
        match self {
            Self::Waiting
            | Self::Ready
            | Self::Dispatched
            | Self::Running
            | Self::Blocked
            | Self::Reported => false,
            Self::Done | Self::Failed | Self::Skipped | Self::Cancelled => true,
        }
    }

    /// Returns whether it has a live attempt.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            Self::Dispatched | Self::Running | Self::Blocked | Self::Reported => true,
            Self::Waiting | Self::Ready | Self::Done | Self::Failed | Self::Skipped | Self::Cancelled => {
                false
            }
        }
    }

    /// Returns whether dependents cannot become ready in this state.
    #[must_use]
    pub fn breaks_dependents(self) -> bool {
        match self {
            Self::Failed | Self::Skipped | Self::Cancelled => true,
            Self::Waiting
            | Self::Ready
            | Self::Dispatched
            | Self::Running
            | Self::Blocked
            | Self::Reported
            | Self::Done => false,
        }
    }
}

/// The readiness of a task without a live attempt, derived from its dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskReadiness {
    /// At least one is not done.
    Waiting,
    /// All are done.
    Ready,
    /// At least one failed, was cancelled or was skipped.
    Skipped,
}

impl TaskReadiness {
    /// Derives the readiness from the numbers of unmet and broken dependencies.
    #[must_use]
    pub fn from_counters(unmet: u32, broken: u32) -> Self {
        if broken > 0 {
            Self::Skipped
        } else if unmet > 0 {
            Self::Waiting
        } else {
            Self::Ready
        }
    }

    /// Returns the corresponding task state.
    #[must_use]
    pub fn task_state(self) -> TaskState {
        match self {
            Self::Waiting => TaskState::Waiting,
            Self::Ready => TaskState::Ready,
            Self::Skipped => TaskState::Skipped,
        }
    }
}

/// An event of the task's state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// Its dependencies changed.
    UpdateReadiness(TaskReadiness),
    /// An attempt was created and its thread was sent.
    Dispatch,
    /// The attempt's thread was claimed.
    Claim,
    /// The worker asked a question.
    Ask,
    /// The question was answered.
    Answer,
    /// The worker released the work.
    Release,
    /// The worker reported that it is done.
    Report,
    /// The run's `done_when` is met.
    Accept,
    /// The attempt failed, was rejected or was lost, and attempts are left.
    TryAgain,
    /// The attempt failed, was rejected or was lost, and no attempts are left.
    GiveUp,
    /// The lead recalled the attempt, which is not counted.
    Recall,
    /// The task or its thread was cancelled.
    Cancel,
    /// The lead asked for another verdict on the last attempt, which was rejected.
    Reopen,
    /// The lead retried the task.
    Retry(TaskReadiness),
}

impl TaskEvent {
    /// Every event.
    pub const ALL: [Self; 18] = [
        Self::UpdateReadiness(TaskReadiness::Waiting),
        Self::UpdateReadiness(TaskReadiness::Ready),
        Self::UpdateReadiness(TaskReadiness::Skipped),
        Self::Dispatch,
        Self::Claim,
        Self::Ask,
        Self::Answer,
        Self::Release,
        Self::Report,
        Self::Accept,
        Self::TryAgain,
        Self::GiveUp,
        Self::Recall,
        Self::Cancel,
        Self::Reopen,
        Self::Retry(TaskReadiness::Waiting),
        Self::Retry(TaskReadiness::Ready),
        Self::Retry(TaskReadiness::Skipped),
    ];

    /// Returns the name used in messages and in the generated table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UpdateReadiness(TaskReadiness::Waiting) => "wait",
            Self::UpdateReadiness(TaskReadiness::Ready) => "become ready",
            Self::UpdateReadiness(TaskReadiness::Skipped) => "skip",
            Self::Dispatch => "dispatch",
            Self::Claim => "claim",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::Release => "release",
            Self::Report => "report",
            Self::Accept => "accept",
            Self::TryAgain => "try again",
            Self::GiveUp => "give up",
            Self::Recall => "recall",
            Self::Cancel => "cancel",
            Self::Reopen => "reopen",
            Self::Retry(TaskReadiness::Waiting) => "retry (waiting)",
            Self::Retry(TaskReadiness::Ready) => "retry (ready)",
            Self::Retry(TaskReadiness::Skipped) => "retry (skipped)",
        }
    }
}

/// Returns the next state, or an error for an event that the state does not allow.
pub fn next_task_state(state: TaskState, event: TaskEvent) -> Result<TaskState, IllegalTransition> {
    use TaskEvent as E;
    use TaskState as S;
    let illegal = Err(IllegalTransition { state: state.name(), event: event.name() });
    match event {
        E::UpdateReadiness(standing) => match state {
            S::Waiting | S::Ready | S::Skipped => Ok(standing.task_state()),
            S::Dispatched | S::Running | S::Blocked | S::Reported | S::Done | S::Failed | S::Cancelled => {
                illegal
            }
        },
        E::Dispatch => only_from(state, &[S::Ready], S::Dispatched, illegal),
        E::Claim => only_from(state, &[S::Dispatched], S::Running, illegal),
        E::Ask => only_from(state, &[S::Running], S::Blocked, illegal),
        E::Answer => only_from(state, &[S::Blocked], S::Running, illegal),
        E::Release => only_from(state, &[S::Running, S::Blocked], S::Dispatched, illegal),
        E::Report => only_from(state, &[S::Dispatched, S::Running, S::Blocked], S::Reported, illegal),
        E::Accept => only_from(state, &[S::Reported], S::Done, illegal),
        E::TryAgain | E::Recall => only_from(state, &LIVE, S::Ready, illegal),
        E::GiveUp => only_from(state, &LIVE, S::Failed, illegal),
        E::Cancel => match state {
            S::Waiting | S::Ready | S::Skipped | S::Dispatched | S::Running | S::Blocked | S::Reported => {
                Ok(S::Cancelled)
            }
            S::Done | S::Failed | S::Cancelled => illegal,
        },
        E::Reopen => only_from(state, &[S::Ready, S::Failed], S::Reported, illegal),
        E::Retry(standing) => match state {
            S::Failed | S::Cancelled => Ok(standing.task_state()),
            S::Waiting
            | S::Ready
            | S::Dispatched
            | S::Running
            | S::Blocked
            | S::Reported
            | S::Done
            | S::Skipped => illegal,
        },
    }
}

/// The states of a task with a live attempt.
const LIVE: [TaskState; 4] =
    [TaskState::Dispatched, TaskState::Running, TaskState::Blocked, TaskState::Reported];

/// Returns `to` when the state is one of `from`, else `illegal`.
fn only_from(
    state: TaskState,
    from: &[TaskState],
    to: TaskState,
    illegal: Result<TaskState, IllegalTransition>,
) -> Result<TaskState, IllegalTransition> {
    if from.contains(&state) { Ok(to) } else { illegal }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row per state, one column per event in the order of `TaskEvent::ALL`: the first letters of the next
    /// state, `--` where the pair is illegal.
    const TABLE: [(TaskState, &str); 10] = [
        (TaskState::Waiting, "Wa Re Sk -- -- -- -- -- -- -- -- -- -- Ca -- -- -- --"),
        (TaskState::Ready, "Wa Re Sk Di -- -- -- -- -- -- -- -- -- Ca Rp -- -- --"),
        (TaskState::Dispatched, "-- -- -- -- Ru -- -- -- Rp -- Re Fa Re Ca -- -- -- --"),
        (TaskState::Running, "-- -- -- -- -- Bl -- Di Rp -- Re Fa Re Ca -- -- -- --"),
        (TaskState::Blocked, "-- -- -- -- -- -- Ru Di Rp -- Re Fa Re Ca -- -- -- --"),
        (TaskState::Reported, "-- -- -- -- -- -- -- -- -- Do Re Fa Re Ca -- -- -- --"),
        (TaskState::Done, "-- -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- --"),
        (TaskState::Failed, "-- -- -- -- -- -- -- -- -- -- -- -- -- -- Rp Wa Re Sk"),
        (TaskState::Skipped, "Wa Re Sk -- -- -- -- -- -- -- -- -- -- Ca -- -- -- --"),
        (TaskState::Cancelled, "-- -- -- -- -- -- -- -- -- -- -- -- -- -- -- Wa Re Sk"),
    ];

    fn short_name(state: TaskState) -> &'static str {
        match state {
            TaskState::Waiting => "Wa",
            TaskState::Ready => "Re",
            TaskState::Dispatched => "Di",
            TaskState::Running => "Ru",
            TaskState::Blocked => "Bl",
            TaskState::Reported => "Rp",
            TaskState::Done => "Do",
            TaskState::Failed => "Fa",
            TaskState::Skipped => "Sk",
            TaskState::Cancelled => "Ca",
        }
    }

    #[test]
    fn every_pair_is_decided() {
        assert_eq!(TABLE.map(|(state, _)| state), TaskState::ALL);
        for (state, row) in TABLE {
            let cells: Vec<&str> = row.split(' ').collect();
            assert_eq!(cells.len(), TaskEvent::ALL.len());
            for (event, expected) in TaskEvent::ALL.into_iter().zip(cells) {
                let got = next_task_state(state, event).map_or("--", short_name);
                assert_eq!(got, expected, "{} + {}", state.name(), event.name());
            }
        }
    }

    #[test]
    fn names_and_indices_round_trip() {
        for (index, state) in TaskState::ALL.into_iter().enumerate() {
            assert_eq!(TaskState::parse(state.name()), Some(state));
            assert_eq!(state.index(), index);
        }
    }

    #[test]
    fn a_broken_dependency_outweighs_an_unmet_one() {
        assert_eq!(TaskReadiness::from_counters(0, 0), TaskReadiness::Ready);
        assert_eq!(TaskReadiness::from_counters(2, 0), TaskReadiness::Waiting);
        assert_eq!(TaskReadiness::from_counters(2, 1), TaskReadiness::Skipped);
    }
}
