//! Leases of effects: which process performs an effect, and which thread of this process.
//!
//! The store knows processes, not their threads; which thread of this process performs an effect is known here alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::effect::{
    Effect, EffectHolder, EffectKey, EffectKind, HolderLiveness, PendingEffect, is_free,
};
use orch_core::id::{EffectId, RunId};
use orch_core::operation_failure::FailureNews;
use orch_core::refusal::TreeRefusal;
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::WriteDurability;
use orch_store::table::{effect, run as run_table};
use orch_store::{Transaction, TxEnd};

use crate::operation::tool_transaction;
use crate::perform::check_settings::CheckSettings;
use crate::perform::stuck;
use orch_inbox::failure::describe_failure;
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::presence::{ProcessLiveness, process_liveness, show_presence};
use orch_process::{ProcessIdentity, host_id};
use orch_workspace::check_cache::CheckReuse;

/// How long a holder is believed to be alive that gives no sign of it: one of another host or container.
const LEASE_LENGTH: TimeSpan = TimeSpan::from_minutes(15);

/// How long a command waits for another process that performs the effect it needs.
const WAIT_MAX: TimeSpan = TimeSpan::from_hours(4);

/// How often a waiting command checks whether that process is still alive.
const RECHECK_INTERVAL: TimeSpan = TimeSpan::from_seconds(1);

/// An effect whose lease this process holds, and that no other thread performs as long as this value lives.
#[derive(Debug)]
#[must_use = "an effect whose lease is held keeps others from performing it"]
pub(crate) struct EffectLease {
    /// The run.
    pub run: RunId,
    /// The effect.
    pub effect: Effect,
    /// How its performer runs checks.
    pub checks: CheckSettings,
    id: EffectId,
    number: u32,
    /// Lets other threads in when it is dropped.
    _guard: ThreadGuard,
}

impl EffectLease {
    fn new(pending: PendingEffect, guard: ThreadGuard) -> Self {
        let PendingEffect { id, run, effect, lease_number, .. } = pending;
        let reuse = match effect {
            Effect::VerifyAttempt { since: Some(since), .. } => CheckReuse::Since(since),
            _ => CheckReuse::Known,
        };
        let checks = CheckSettings { reuse, ..CheckSettings::default() };
        Self { run, effect, checks, id, number: lease_number, _guard: guard }
    }

    /// Returns the lease for a performer that runs checks with these settings, and takes over no more known results than the effect allows.
    pub(crate) fn with_checks(self, checks: CheckSettings) -> Self {
        let reuse = if checks.reuse == CheckReuse::Known { self.checks.reuse } else { checks.reuse };
        Self { checks: CheckSettings { reuse, ..checks }, ..self }
    }

    /// Returns the lease for a performer that takes over these known results of checks, of those that the effect allows.
    pub(crate) fn with_reuse(self, reuse: CheckReuse) -> Self {
        let checks = CheckSettings { reuse, ..self.checks };
        self.with_checks(checks)
    }

    /// Acquires the thread's share of a lease that [`request_effect`] acquired in this process.
    /// `None` when another thread of this process has performed the effect meanwhile, or is performing it.
    pub(crate) fn of_request(session: &Session, requested: PendingEffect) -> Option<Self> {
        let guard = ThreadGuard::enter_first(session.store_folder(), &requested)?;
        Some(Self::new(requested, guard))
    }

    /// Acquires an effect's lease, unless a living process or another thread holds it.
    pub(crate) fn acquire(session: &mut Session, key: EffectKey) -> Result<LeaseAcquisition, Error> {
        // Entered first, so that the row read next is not one that another thread is just completing.
        let guard = ThreadGuard::enter(session.store_folder(), key);
        let seen = session.read(|tx, _| Ok(effect::find_pending(tx, key)?))?;
        let Some(seen) = seen else { return Ok(LeaseAcquisition::AlreadyDone) };
        let Some(guard) = guard else { return Ok(LeaseAcquisition::HeldElsewhere) };
        let own = ProcessIdentity::of_current_process().to_string();
        if seen.holder.as_ref().is_some_and(|holder| holder.process == own && holder.host == host_id()) {
            guard.mark_adopted();
            return Ok(LeaseAcquisition::Acquired(Self::new(seen, guard)));
        }
        if !is_unheld(&seen, session.clock_now()) {
            return Ok(LeaseAcquisition::HeldElsewhere);
        }
        let acquired = session.write(WriteDurability::Power, |tx, now| {
            let Some(found) = effect::find_pending(tx, key)? else {
                return Ok(TxEnd::Rollback(Err(LeaseAcquisition::AlreadyDone)));
            };
            if !is_unheld(&found, now) {
                return Ok(TxEnd::Rollback(Err(LeaseAcquisition::HeldElsewhere)));
            }
            let lease_number = found.lease_number.saturating_add(1);
            effect::acquire_lease(tx, found.id, &own_holder(now), lease_number)?;
            Ok(TxEnd::Commit(Ok(PendingEffect { lease_number, ..found })))
        })?;
        Ok(match acquired {
            Ok(pending) => LeaseAcquisition::Acquired(Self::new(pending, guard)),
            Err(other) => other,
        })
    }

    /// Waits while another process performs the effect, then acquires its lease; `None` when it was performed.
    pub(crate) fn wait_and_acquire(session: &mut Session, key: EffectKey) -> Result<Option<Self>, Error> {
        let acquired = wait_until(session, WAIT_MAX, |session| {
            Ok(match Self::acquire(session, key)? {
                LeaseAcquisition::AlreadyDone => PollOutcome::Found(None),
                LeaseAcquisition::Acquired(lease) => PollOutcome::Found(Some(lease)),
                // Nothing in the store changes when a process dies.
                LeaseAcquisition::HeldElsewhere => {
                    PollOutcome::NotYet(Some(session.clock_now() + RECHECK_INTERVAL))
                }
            })
        })?;
        match acquired {
            Some(acquired) => Ok(acquired),
            None => Err(session.read(|tx, _| held_elsewhere(tx, key.kind, key.run))?),
        }
    }

    /// Deletes the effect in the transaction that reports it; `false` when another process has acquired the lease.
    pub(crate) fn complete(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        Ok(effect::delete_performed(tx, self.id, self.number)?)
    }

    /// Deletes the effect in a transaction of its own, where there is nothing to report.
    pub(crate) fn complete_alone(&self, session: &mut Session) -> Result<(), Error> {
        session.write(WriteDurability::Power, |tx, _| self.complete(tx).map(|_| TxEnd::Commit(())))
    }

    /// Records what is about to be done in the effect's payload.
    ///
    /// # Errors
    /// Another process has acquired the lease.
    pub(crate) fn record_progress(&self, tx: &mut Transaction<'_>, effect: &Effect) -> Result<(), Error> {
        if effect::save_payload(tx, self.id, self.number, effect)? {
            return Ok(());
        }
        Err(held_elsewhere(tx, effect.kind(), self.run)?)
    }

    /// Performs the effect; a failure that did not complete it is recorded, and its lease is released.
    pub(crate) fn perform<T>(
        &self,
        session: &mut Session,
        performer: impl FnOnce(&mut Session, &Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let performed = performer(session, self);
        if let Err(error) = &performed {
            // In a store that cannot be written the lease stays with this process, which may acquire it again.
            let _ = self.record_failure(session, error);
        }
        performed
    }

    /// Releases the lease, and records the failure with the effect, if it is still pending.
    fn record_failure(&self, session: &mut Session, error: &Error) -> Result<(), Error> {
        let Some(failure) = describe_failure(error) else {
            return session.write(WriteDurability::Power, |tx, _| {
                effect::release_lease(tx, self.id, self.number)?;
                Ok(TxEnd::Commit(()))
            });
        };
        tool_transaction(session, |unit| {
            let Some(pending) = effect::load(unit.tx, self.id)? else { return Ok(()) };
            if pending.lease_number != self.number {
                return Ok(());
            }
            let (retries, news) = pending.retries.after_failure(failure.clone(), unit.now);
            effect::save_failure(unit.tx, self.id, self.number, &retries)?;
            match news {
                FailureNews::None => Ok(()),
                FailureNews::EpisodeBegan => stuck::record_episode(unit, &pending, &failure),
                FailureNews::BecameStuck => stuck::record_stuck(unit, &pending, &failure),
            }
        })
    }
}

/// What came of asking for a lease.
pub(crate) enum LeaseAcquisition {
    /// The effect was performed, or withdrawn.
    AlreadyDone,
    /// This process holds the lease.
    Acquired(EffectLease),
    /// A living process, or another thread of this one, performs the effect.
    HeldElsewhere,
}

/// Performs an effect by `performer`, or waits for the process that performs it.
pub(crate) fn complete_by(
    session: &mut Session,
    key: EffectKey,
    performer: impl FnOnce(&mut Session, &EffectLease) -> Result<(), Error>,
) -> Result<(), Error> {
    match EffectLease::wait_and_acquire(session, key)? {
        None => Ok(()),
        Some(lease) => lease.perform(session, performer),
    }
}

/// Asks for an effect in the transaction that decides on it, to be performed by this process after the commit.
/// `None` when the effect is pending already and its lease is held.
pub fn request_effect(
    tx: &mut Transaction<'_>,
    run: RunId,
    effect: &Effect,
    now: Time,
) -> Result<Option<PendingEffect>, Error> {
    Ok(effect::insert_held(tx, run, effect, &own_holder(now), now)?)
}

/// Whether no living process performs an effect.
pub fn is_unheld(effect: &PendingEffect, now: Time) -> bool {
    is_free(effect.holder.as_ref(), holder_liveness, now)
}

/// Returns until when an effect's holder is believed to live that gives no sign of it.
#[must_use]
pub fn believed_until(effect: &PendingEffect, now: Time) -> Option<Time> {
    let holder = effect.holder.as_ref().filter(|holder| holder.until > now)?;
    (holder_liveness(holder) == HolderLiveness::Elsewhere).then_some(holder.until)
}

/// The error of a command that meets another process at an effect.
fn held_elsewhere(tx: &mut Transaction<'_>, effect: EffectKind, run: RunId) -> Result<Error, Error> {
    Ok(match run_table::load(tx, run)? {
        Some(run) => TreeRefusal::HeldElsewhere { effect, run: run.name }.into(),
        None => TreeRefusal::RequestAborted.into(),
    })
}

fn own_holder(now: Time) -> EffectHolder {
    show_presence();
    EffectHolder {
        host: host_id().to_owned(),
        process: ProcessIdentity::of_current_process().to_string(),
        until: now + LEASE_LENGTH,
    }
}

fn holder_liveness(holder: &EffectHolder) -> HolderLiveness {
    match process_liveness(&holder.host, &holder.process) {
        ProcessLiveness::Alive => HolderLiveness::Alive,
        ProcessLiveness::Dead => HolderLiveness::Dead,
        ProcessLiveness::Elsewhere => HolderLiveness::Elsewhere,
    }
}

/// Which effects the threads of this process perform, each with the folder of its store.
struct ThreadRegistry {
    under_way: BTreeSet<(PathBuf, EffectKey)>,
    /// Effects that a thread found held by this process and performed, though another thread may have requested them.
    adopted: BTreeSet<(PathBuf, EffectKey)>,
}

static THREADS: Mutex<ThreadRegistry> =
    Mutex::new(ThreadRegistry { under_way: BTreeSet::new(), adopted: BTreeSet::new() });

/// A panic in another thread leaves the sets whole.
fn thread_registry() -> MutexGuard<'static, ThreadRegistry> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps other threads of this process from performing an effect.
#[derive(Debug)]
struct ThreadGuard(PathBuf, EffectKey);

impl ThreadGuard {
    /// `None` when another thread performs the effect.
    fn enter(store: &Path, key: EffectKey) -> Option<Self> {
        thread_registry().under_way.insert((store.to_owned(), key)).then(|| Self(store.to_owned(), key))
    }

    /// `None` when another thread performs the effect, or has performed it since it was requested.
    fn enter_first(store: &Path, requested: &PendingEffect) -> Option<Self> {
        let mut registry = thread_registry();
        let key = requested.key();
        let is_adopted = registry.adopted.contains(&(store.to_owned(), key));
        (!is_adopted && registry.under_way.insert((store.to_owned(), key)))
            .then(|| Self(store.to_owned(), key))
    }

    fn mark_adopted(&self) {
        thread_registry().adopted.insert((self.0.clone(), self.1));
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        thread_registry().under_way.remove(&(self.0.clone(), self.1));
    }
}
