//! What the end of a worker says about its profile.

use crate::profile_cooldown::{record_profile_failure, record_profile_work};
use orch_core::cooldown::{self, CooldownCause, ProfileFailure};
use orch_core::event::EventSubject;
use orch_core::thread::Thread;
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_inbox::Error;
use orch_profile::{FailureCause, ResetTime};
use orch_store::Transaction;
use orch_store::table::{profile_cooldown, thread};

/// What the end of a worker says about its profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProfileVerdict {
    /// Nothing.
    Nothing,
    /// The profile works.
    Worked,
    /// The worker failed, which counts if it was quick and is not the only one.
    Failed,
    /// No worker of the profile can work for now.
    Refused {
        /// The cause.
        cause: CooldownCause,
        /// When that is over, as far as the provider told it.
        told: Option<ResetTime>,
    },
}

impl ProfileVerdict {
    /// Returns the verdict on a failure that the client attributes to its provider.
    pub(super) fn of_provider(cause: FailureCause, told: Option<ResetTime>) -> Self {
        let cause = match cause {
            FailureCause::Client => return Self::Failed,
            FailureCause::Budget => return Self::Nothing,
            FailureCause::Quota => CooldownCause::Quota,
            FailureCause::Network => CooldownCause::Network,
            FailureCause::Access => CooldownCause::Access,
        };
        Self::Refused { cause, told }
    }
}

/// Whether another quick failure starts a cooldown, in which case the attempt should not count.
pub(super) fn would_trip_breaker(tx: &mut Transaction<'_>, row: &Worker, now: Time) -> Result<bool, Error> {
    let Some(profile) = &row.profile else { return Ok(false) };
    let before = profile_cooldown::load(tx, profile)?;
    Ok(cooldown::is_breaker_due(before.as_ref(), row.started_at, now))
}

/// Records what the end of a worker says about its profile, in the transaction that ends the worker.
pub(super) fn record_verdict(
    tx: &mut Transaction<'_>,
    row: &Worker,
    verdict: ProfileVerdict,
    detail: Option<&str>,
    now: Time,
) -> Result<(), Error> {
    let Some(profile) = &row.profile else { return Ok(()) };
    let is_quick = verdict == ProfileVerdict::Failed;
    let (cause, told) = match verdict {
        ProfileVerdict::Nothing => return Ok(()),
        ProfileVerdict::Failed if now - row.started_at < cooldown::QUICK => (CooldownCause::Access, None),
        ProfileVerdict::Failed | ProfileVerdict::Worked => {
            return record_profile_work(tx, profile, row.started_at, now);
        }
        ProfileVerdict::Refused { cause, told } => (cause, told.map(|told| told.resolve_at(now))),
    };
    let about = thread::load(tx, row.thread)?.map_or_else(EventSubject::default, |thread| subject(&thread));
    let failure = ProfileFailure {
        profile: profile.clone(),
        cause,
        told,
        reason: detail.and_then(|detail| detail.lines().next()).map(str::to_owned),
        run: about.run,
        started_at: row.started_at,
    };
    record_profile_failure(tx, &failure, is_quick, about, now)
}

fn subject(thread: &Thread) -> EventSubject {
    let reference = thread.head.reference;
    EventSubject {
        run: reference.map(|reference| reference.run),
        task: reference.map(|reference| reference.task),
        attempt: reference.map(|reference| reference.attempt),
        thread: Some(thread.id),
    }
}
