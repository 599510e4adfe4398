//! Why nothing moves while a supervisor waits.

use std::collections::BTreeSet;

use orch_core::id::Slug;
use orch_core::run::PauseReason;

use super::snapshot::PassSnapshot;
use super::worker_pool::WorkerPool;

/// Why nothing moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StallReason {
    /// A person paused the run.
    Paused {
        /// The run.
        run: Slug,
    },
    /// The run has no task.
    NoTask {
        /// The run.
        run: Slug,
    },
    /// Work waits for an agent that has no profile.
    NoProfile {
        /// The agent.
        agent: Slug,
    },
    /// No worker of a profile is started for now, after failures.
    CoolingDown {
        /// The profile.
        profile: Slug,
        /// The first line of the last failure.
        cause: String,
    },
}

/// Collects stall reasons, so that each is reported once.
#[derive(Debug, Default)]
pub(super) struct StallReporter(BTreeSet<StallReason>);

impl StallReporter {
    /// Returns the reasons that were not reported yet.
    pub(super) fn new_reasons(&mut self, snapshot: &PassSnapshot, pool: &mut WorkerPool) -> Vec<StallReason> {
        let mut reasons = Vec::new();
        for run in snapshot.runs.iter().filter(|run| run.run.state.status().is_unfinished()) {
            let name = || run.run.name.clone();
            let state = &run.run.state;
            if state.pause_reason().is_some_and(PauseReason::is_requested) {
                reasons.push(StallReason::Paused { run: name() });
            } else if run.run.counts.total() == 0 {
                reasons.push(StallReason::NoTask { run: name() });
            } else {
                let unclaimed = run.unclaimed.iter().map(|(_, agent)| agent.clone());
                let agents = unclaimed.filter(|agent| pool.slots_for_profile(agent).is_none());
                reasons.extend(agents.map(|agent| StallReason::NoProfile { agent }));
            }
        }
        let ours = |name: &Slug| pool.seats.iter().any(|seat| seat.profile == *name);
        for cooldown in snapshot.active_cooldowns().filter(|cooldown| ours(&cooldown.profile)) {
            let cause = cooldown.reason.as_deref().and_then(|reason| reason.lines().next());
            let cause = cause.unwrap_or("it failed").to_owned();
            reasons.push(StallReason::CoolingDown { profile: cooldown.profile.clone(), cause });
        }
        reasons.retain(|reason| self.0.insert(reason.clone()));
        reasons
    }
}
