//! The cooldown of a profile after failures of its provider, or after several quick failures in a row.

use orch_core::time::{Time, TimeSpan};
use orch_core::worker::{Worker, WorkerOutcome};
use orch_inbox::Error;
use orch_store::Transaction;
use orch_store::table::profile_cooldown::{self, ProfileCooldown};

/// A failure within this time after the start is quick: the worker may never have worked.
const QUICK: TimeSpan = TimeSpan::from_seconds(15);

/// How many quick failures in a row start a cooldown.
const QUICK_MAX: u32 = 5;

/// The first cooldown; it doubles with each failure.
const FIRST: TimeSpan = TimeSpan::from_seconds(30);

/// The longest cooldown.
const LONGEST: TimeSpan = TimeSpan::from_minutes(30);

/// Whether another quick failure starts a cooldown, in which case the attempt should not count.
pub(super) fn would_trip_breaker(tx: &mut Transaction<'_>, row: &Worker, now: Time) -> Result<bool, Error> {
    let Some(profile) = &row.profile else { return Ok(false) };
    let failures = profile_cooldown::load(tx, profile)?.map_or(0, |cooldown| cooldown.failures);
    Ok(now - row.started_at < QUICK && failures + 1 >= QUICK_MAX)
}

/// Updates the cooldown of a profile after a worker ended.
pub(super) fn record_outcome(
    tx: &mut Transaction<'_>,
    row: &Worker,
    outcome: WorkerOutcome,
    detail: Option<&str>,
    now: Time,
) -> Result<(), Error> {
    let Some(profile) = &row.profile else { return Ok(()) };
    let before = profile_cooldown::load(tx, profile)?;
    let failures = before.as_ref().map_or(0, |cooldown| cooldown.failures) + 1;
    let quick = now - row.started_at < QUICK;
    let until = match outcome {
        WorkerOutcome::Provider | WorkerOutcome::CouldNotStart => Some(now + cooldown_after(failures)),
        WorkerOutcome::Failed | WorkerOutcome::ExitedWithoutReport if quick => {
            (failures >= QUICK_MAX).then(|| now + LONGEST)
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
    let cooldown = ProfileCooldown { profile: profile.clone(), until, failures, reason, at: now };
    Ok(profile_cooldown::upsert(tx, &cooldown)?)
}

/// Returns the cooldown after so many failures in a row.
fn cooldown_after(failures: u32) -> TimeSpan {
    let doublings = failures.saturating_sub(1).min(16);
    TimeSpan(FIRST.0.saturating_mul(1_i64 << doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cooldowns_double_up_to_a_limit() {
        for (failures, expected) in [(1, 30), (2, 60), (3, 120), (7, 1_800), (99, 1_800)] {
            assert_eq!(cooldown_after(failures), TimeSpan::from_seconds(expected), "{failures}");
        }
    }
}
