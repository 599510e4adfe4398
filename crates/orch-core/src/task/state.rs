//! The task machine.

use crate::IllegalTransition;
use serde::Serialize;

/// A task's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum TaskState {
    /// A dependency is not done.
    Waiting,
    /// It can be dispatched.
    Ready,
    /// It was sent to an agent, who has not claimed it.
    Dispatched,
    /// An agent works on it.
    Running,
    /// Its agent waits for an answer.
    Blocked,
    /// Its agent said that it is done; the run's `done_when` does not hold yet.
    Reported,
    /// It is done.
    Done,
    /// It failed and has no tries left.
    Failed,
    /// A dependency failed, was cancelled or was skipped.
    Skipped,
    /// Somebody cancelled it.
    Cancelled,
}

impl TaskState {
    /// Every state, in the order of a task's life.
    pub const ALL: [Self; 10] = [
        Self::Waiting,
        Self::Ready,
        Self::Dispatched,
        Self::Running,
        Self::Blocked,
        Self::Reported,
        Self::Done,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Reported => "reported",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Its place in [`TaskState::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Whether nothing happens to it any more by itself.
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

    /// Whether it has a live attempt.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            Self::Dispatched | Self::Running | Self::Blocked | Self::Reported => true,
            Self::Waiting | Self::Ready | Self::Done | Self::Failed | Self::Skipped | Self::Cancelled => {
                false
            }
        }
    }

    /// Whether a task that waits for it never becomes ready while this is so.
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

/// Where a task without a live attempt stands, by its dependencies alone.
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
    /// Where a task stands with so many dependencies not done, and so many of those broken.
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

    /// The state of the same name.
    #[must_use]
    pub fn task_state(self) -> TaskState {
        match self {
            Self::Waiting => TaskState::Waiting,
            Self::Ready => TaskState::Ready,
            Self::Skipped => TaskState::Skipped,
        }
    }
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// Its dependencies changed.
    UpdateReadiness(TaskReadiness),
    /// An attempt was made and sent.
    Dispatch,
    /// The attempt's thread was claimed.
    Claim,
    /// The worker asked a question.
    Ask,
    /// The question was answered.
    Answer,
    /// The worker gave the work back.
    Release,
    /// The worker said that it is done.
    Report,
    /// What the run's `done_when` asks for holds.
    Accept,
    /// The attempt failed, was rejected or was lost, and tries are left.
    TryAgain,
    /// The attempt failed, was rejected or was lost, and no try is left.
    GiveUp,
    /// The lead ended the attempt without counting it.
    Recall,
    /// Somebody cancelled the task or its thread.
    Cancel,
    /// The lead gives it fresh tries.
    Retry(TaskReadiness),
}

impl TaskEvent {
    /// Every event.
    pub const ALL: [Self; 17] = [
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
        Self::Retry(TaskReadiness::Waiting),
        Self::Retry(TaskReadiness::Ready),
        Self::Retry(TaskReadiness::Skipped),
    ];

    /// The name used in messages and in the generated table.
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
            Self::Retry(TaskReadiness::Waiting) => "retry (waiting)",
            Self::Retry(TaskReadiness::Ready) => "retry (ready)",
            Self::Retry(TaskReadiness::Skipped) => "retry (skipped)",
        }
    }
}

/// The next state, or why there is none.
///
/// # Errors
/// The state does not allow the event.
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

/// `to` from one of these states, else illegal.
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
        (TaskState::Waiting, "Wa Re Sk -- -- -- -- -- -- -- -- -- -- Ca -- -- --"),
        (TaskState::Ready, "Wa Re Sk Di -- -- -- -- -- -- -- -- -- Ca -- -- --"),
        (TaskState::Dispatched, "-- -- -- -- Ru -- -- -- Rp -- Re Fa Re Ca -- -- --"),
        (TaskState::Running, "-- -- -- -- -- Bl -- Di Rp -- Re Fa Re Ca -- -- --"),
        (TaskState::Blocked, "-- -- -- -- -- -- Ru Di Rp -- Re Fa Re Ca -- -- --"),
        (TaskState::Reported, "-- -- -- -- -- -- -- -- -- Do Re Fa Re Ca -- -- --"),
        (TaskState::Done, "-- -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- --"),
        (TaskState::Failed, "-- -- -- -- -- -- -- -- -- -- -- -- -- -- Wa Re Sk"),
        (TaskState::Skipped, "Wa Re Sk -- -- -- -- -- -- -- -- -- -- Ca -- -- --"),
        (TaskState::Cancelled, "-- -- -- -- -- -- -- -- -- -- -- -- -- -- Wa Re Sk"),
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
