//! Derives the steps of an attempt from the state of its thread.
//!
//! The transport never changes a task. It marks a thread as changed, and the next `orch` command reads the thread
//! in its current state; the steps in between are replayed.

use crate::attempt::AttemptState;
use crate::attempt::state::AttemptEvent;
use crate::thread::ThreadStatus;

/// The current state of an attempt's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadObservation {
    /// The thread's state.
    pub status: ThreadStatus,
    /// Whether its lease is lost.
    pub lease_lost: bool,
    /// How often it was released since the last reconciliation.
    pub released: u32,
}

/// Returns the steps from an attempt's recorded state to the state of its thread; empty when nothing has changed.
///
/// Any number of releases is one [`AttemptEvent::Release`] of a claimed attempt;
/// the caller counts them.
#[must_use]
pub fn plan_attempt_steps(attempt: AttemptState, seen: ThreadObservation) -> Vec<AttemptEvent> {
    use AttemptEvent as E;
    use AttemptState as A;
    use ThreadStatus as T;
    let from = match attempt {
        A::Dispatched | A::Running | A::Blocked => attempt,
        A::Preparing
        | A::Reported
        | A::Accepted
        | A::Rejected
        | A::Failed
        | A::Lost
        | A::Recalled
        | A::Cancelled => {
            return Vec::new();
        }
    };
    let mut steps = Vec::new();
    let mut at = from;
    if seen.released > 0 && at != A::Dispatched {
        steps.push(E::Release);
        at = A::Dispatched;
    }
    match seen.status {
        T::Queued => {}
        T::Claimed => match at {
            A::Dispatched => steps.push(E::Claim),
            A::Blocked => steps.push(E::Answer),
            _ => {}
        },
        T::Blocked => match at {
            A::Dispatched => steps.extend([E::Claim, E::Ask]),
            A::Running => steps.push(E::Ask),
            _ => {}
        },
        T::Done => steps.push(E::Report),
        T::Failed => steps.push(E::Fail),
        T::Cancelled => steps.push(E::Cancel),
    }
    if seen.lease_lost && seen.status == T::Claimed {
        steps.push(E::Lose);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::state::next_attempt_state;

    fn check_steps(
        attempt: AttemptState,
        status: ThreadStatus,
        lease_lost: bool,
        released: u32,
        expected: &[AttemptEvent],
    ) {
        let got = plan_attempt_steps(attempt, ThreadObservation { status, lease_lost, released });
        assert_eq!(got, expected, "{attempt:?} {status:?} lost={lease_lost} released={released}");
    }

    #[test]
    fn steps_lead_to_what_the_thread_shows() {
        use AttemptEvent as E;
        use AttemptState as A;
        use ThreadStatus as T;
        check_steps(A::Dispatched, T::Queued, false, 0, &[]);
        check_steps(A::Dispatched, T::Claimed, false, 0, &[E::Claim]);
        check_steps(A::Running, T::Claimed, false, 0, &[]);
        check_steps(A::Running, T::Claimed, true, 0, &[E::Lose]);
        check_steps(A::Dispatched, T::Claimed, true, 0, &[E::Claim, E::Lose]);
        check_steps(A::Dispatched, T::Blocked, false, 0, &[E::Claim, E::Ask]);
        check_steps(A::Blocked, T::Blocked, false, 0, &[]);
        check_steps(A::Blocked, T::Claimed, false, 0, &[E::Answer]);
        check_steps(A::Running, T::Queued, false, 1, &[E::Release]);
        check_steps(A::Running, T::Claimed, false, 2, &[E::Release, E::Claim]);
        check_steps(A::Dispatched, T::Queued, false, 1, &[]);
        check_steps(A::Running, T::Done, false, 0, &[E::Report]);
        check_steps(A::Dispatched, T::Failed, false, 0, &[E::Fail]);
        check_steps(A::Blocked, T::Cancelled, false, 0, &[E::Cancel]);
        check_steps(A::Reported, T::Done, false, 0, &[]);
        check_steps(A::Lost, T::Claimed, true, 0, &[]);
    }

    #[test]
    fn every_step_is_legal() {
        for attempt in AttemptState::ALL {
            for status in ThreadStatus::ALL {
                for (lease_lost, released) in [(false, 0), (true, 0), (false, 1), (true, 2)] {
                    let mut state = attempt;
                    for event in
                        plan_attempt_steps(attempt, ThreadObservation { status, lease_lost, released })
                    {
                        state = next_attempt_state(state, event).unwrap();
                    }
                }
            }
        }
    }
}
