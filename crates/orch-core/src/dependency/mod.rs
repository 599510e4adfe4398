//! Dependencies between tasks: how a state change propagates to dependents, and what keeps the graph acyclic.

use crate::id::TaskId;
use crate::task::TaskState;

/// One edge: `task` waits for `on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dependency {
    /// The task that waits.
    pub task: TaskId,
    /// The task that it waits for.
    pub on: TaskId,
}

/// A change of a dependent's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterDelta {
    /// Added to the number of dependencies that are not done.
    pub unmet: i64,
    /// Added to the number of dependencies that are failed, cancelled or skipped.
    pub broken: i64,
}

impl CounterDelta {
    /// Returns the change for each dependent of a task that moves between two states.
    #[must_use]
    pub fn between_states(from: TaskState, to: TaskState) -> Self {
        Self::for_new_dependency(to).minus(Self::for_new_dependency(from))
    }

    /// Returns the change for a new dependency in this state.
    #[must_use]
    pub fn for_new_dependency(state: TaskState) -> Self {
        Self { unmet: i64::from(state != TaskState::Done), broken: i64::from(state.breaks_dependents()) }
    }

    /// Returns the inverse change, for a removed dependency.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::default().minus(self)
    }

    /// Returns whether the change is zero.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Returns the counters after the change.
    ///
    /// # Panics
    /// A counter would become negative, which means that it was wrong before.
    #[must_use]
    pub fn apply(self, unmet: u32, broken: u32) -> (u32, u32) {
        let add = |counter: u32, change: i64| {
            u32::try_from(i64::from(counter) + change)
                .unwrap_or_else(|_| panic!("a dependency counter is wrong"))
        };
        (add(unmet, self.unmet), add(broken, self.broken))
    }

    fn minus(self, other: Self) -> Self {
        Self { unmet: self.unmet - other.unmet, broken: self.broken - other.broken }
    }
}

/// Returns whether an edge `task` → `on` can close a cycle at all, by the stored ranks alone.
///
/// If `on` waited for `task`, the rank of `on` would be lower than that of `task`.
/// Most edges agree with the ranks and need no search.
/// The idea of ordering nodes so that most insertions need none is that of Pearce and Kelly (2006).
#[must_use]
pub fn may_close_cycle(task_rank: u32, on_rank: u32) -> bool {
    task_rank > on_rank
}

/// Returns the minimum rank of a task with a dependent of rank `dependent_rank`.
#[must_use]
pub fn rank_before(dependent_rank: u32) -> u32 {
    dependent_rank.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_follow_the_dependency() {
        use TaskState as T;
        for (from, to, unmet, broken) in [
            (T::Reported, T::Done, -1, 0),
            (T::Running, T::Failed, 0, 1),
            (T::Ready, T::Running, 0, 0),
            (T::Waiting, T::Skipped, 0, 1),
            (T::Failed, T::Ready, 0, -1),
            (T::Skipped, T::Cancelled, 0, 0),
            (T::Cancelled, T::Waiting, 0, -1),
        ] {
            assert_eq!(
                CounterDelta::between_states(from, to),
                CounterDelta { unmet, broken },
                "{from:?} {to:?}"
            );
        }
        assert_eq!(CounterDelta::for_new_dependency(T::Done), CounterDelta::default());
        assert_eq!(
            CounterDelta::for_new_dependency(T::Skipped).reversed(),
            CounterDelta { unmet: -1, broken: -1 }
        );
    }

    #[test]
    fn ranks_rule_out_most_cycles() {
        assert!(!may_close_cycle(0, 0));
        assert!(!may_close_cycle(1, 3));
        assert!(may_close_cycle(3, 1));
    }
}
