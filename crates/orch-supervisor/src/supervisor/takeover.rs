//! Free profiles take over unclaimed attempts, where the profile that they were sent to cannot work.

use std::collections::BTreeMap;

use orch_core::id::{Slug, ThreadId};
use orch_core::run::RunStatus;
use orch_inbox::{Error, Session};
use orch_scheduler::redirect::{RedirectRequest, redirect_unclaimed};

use super::snapshot::PassSnapshot;
use super::worker_pool::{SlotUsage, WorkerPool};

/// Moves unclaimed attempts to profiles with free slots; returns whether the store was changed.
///
/// Attempts leave a profile that cools down, and one whose slots are all taken; from the latter only those that no
/// worker has begun.
pub(super) fn take_over_unclaimed(
    session: &mut Session,
    pool: &mut WorkerPool,
    snapshot: &PassSnapshot,
    usage: &mut SlotUsage,
) -> Result<bool, Error> {
    let mut waiting: BTreeMap<Slug, Vec<ThreadId>> = BTreeMap::new();
    let open = snapshot.runs.iter().filter(|run| run.run.state.status() == RunStatus::Open);
    for (thread, agent) in open.flat_map(|run| &run.unclaimed) {
        if !pool.is_starting(*thread) {
            waiting.entry(agent.clone()).or_default().push(*thread);
        }
    }
    let mut changed = false;
    for (agent, threads) in waiting {
        let is_cooling = snapshot.is_cooling_down(&agent);
        let beyond = match pool.slots_for_profile(&agent) {
            _ if is_cooling => threads.len(),
            // An attempt counts as a slot of its profile.
            Some(slots) => usage.of_profile(&agent).saturating_sub(slots.limit).min(threads.len()),
            None => 0,
        };
        let mut targets: BTreeMap<Slug, usize> = BTreeMap::new();
        let mut planned = usage.clone();
        for _ in 0..beyond {
            planned.free_slot(&agent);
            let Some(target) = pool.choose_free_seat(&planned, snapshot) else { break };
            planned.take_slot(target.clone());
            *targets.entry(target).or_default() += 1;
        }
        for (to, limit) in targets {
            let reason = match is_cooling {
                true => format!("no worker of {agent} can be started now"),
                false => format!("all workers of {agent} are busy"),
            };
            // The last ones in the queue would wait longest.
            let threads = if is_cooling { threads.clone() } else { threads.iter().rev().copied().collect() };
            let request = RedirectRequest { threads, to: to.clone(), limit, only_fresh: !is_cooling, reason };
            for _ in 0..redirect_unclaimed(session, &request)? {
                usage.free_slot(&agent);
                usage.take_slot(to.clone());
                changed = true;
            }
        }
    }
    Ok(changed)
}
