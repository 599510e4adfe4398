//! How a profile does: after failures that are its provider's, or that come one after the other, it rests.

use orch_core::time::{Time, TimeSpan};
use orch_core::worker::{Worker, WorkerOutcome};
use orch_store::Transaction;
use orch_store::table::profile_cooldown::{self, ProfileCooldown};

use orch_inbox::Error;

/// A worker that failed sooner than this may never have worked.
const QUICK: TimeSpan = TimeSpan::from_seconds(15);

/// After how many of those in a row a profile rests.
const QUICK_MAX: u32 = 5;

/// How long a profile rests at first; it doubles per failure.
const FIRST: TimeSpan = TimeSpan::from_seconds(30);

/// How long it rests at most.
const LONGEST: TimeSpan = TimeSpan::from_minutes(30);

/// Whether the next quick failure of this profile is one too many, and is to be counted for nobody.
pub(super) fn would_trip_breaker(tx: &mut Transaction<'_>, row: &Worker, now: Time) -> Result<bool, Error> {
    let Some(profile) = &row.profile else { return Ok(false) };
    let failures = profile_cooldown::load(tx, profile)?.map_or(0, |rest| rest.failures);
    Ok(now - row.started_at < QUICK && failures + 1 >= QUICK_MAX)
}

/// Notes how a worker of a profile ended.
pub(super) fn record_outcome(
    tx: &mut Transaction<'_>,
    row: &Worker,
    outcome: WorkerOutcome,
    detail: Option<&str>,
    now: Time,
) -> Result<(), Error> {
    let Some(profile) = &row.profile else { return Ok(()) };
    let before = profile_cooldown::load(tx, profile)?;
    let failures = before.as_ref().map_or(0, |rest| rest.failures);
    let quick = now - row.started_at < QUICK;
    let (failures, until) = match outcome {
        WorkerOutcome::Provider | WorkerOutcome::CouldNotStart => {
            (failures + 1, Some(now + cooldown_after(failures + 1)))
        }
        WorkerOutcome::Failed | WorkerOutcome::ExitedWithoutReport if quick => {
            let failures = failures + 1;
            (failures, (failures >= QUICK_MAX).then(|| now + LONGEST))
        }
        WorkerOutcome::Reported | WorkerOutcome::Failed | WorkerOutcome::ExitedWithoutReport => {
            if before.is_some() {
                profile_cooldown::delete(tx, profile)?;
            }
            return Ok(());
        }
        WorkerOutcome::Stopped | WorkerOutcome::Lost | WorkerOutcome::Gone => return Ok(()),
    };
    let reason = detail.map(str::to_owned);
    let rest = ProfileCooldown { profile: profile.clone(), until, failures, reason, at: now };
    Ok(profile_cooldown::upsert(tx, &rest)?)
}

/// How long a profile rests after so many failures in a row.
fn cooldown_after(failures: u32) -> TimeSpan {
    let doublings = failures.saturating_sub(1).min(16);
    TimeSpan(FIRST.0.saturating_mul(1_i64 << doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_up_to_a_limit() {
        for (failures, expected) in [(1, 30), (2, 60), (3, 120), (7, 1_800), (99, 1_800)] {
            assert_eq!(cooldown_after(failures), TimeSpan::from_seconds(expected), "{failures}");
        }
    }
}
