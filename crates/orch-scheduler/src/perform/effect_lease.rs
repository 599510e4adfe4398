//! Who performs an effect: taken from nobody, or from a process that is gone.
//!
//! The store knows processes, not their threads: which thread of this one is at an effect is known here alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::effect::{Effect, EffectHolder, EffectKind, HolderLiveness, is_free};
use orch_core::id::{AttemptId, RunId, Slug};
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::WriteDurability;
use orch_store::table::effect;
use orch_store::{Transaction, TxEnd};

use orch_inbox::{Error, Session};
use orch_process::{ProcessIdentity, host_id};

/// Until when a holder on another host is believed to be alive.
const HELD: TimeSpan = TimeSpan::from_hours(4);

/// An effect that is ours to perform, and no other thread's for as long as this lives.
#[derive(Debug)]
#[must_use = "an effect that was taken keeps others from performing it"]
pub(crate) struct EffectLease {
    /// The effect, with the number of this taking.
    pub effect: Effect,
    /// Never read: its end lets other threads come.
    _here: InProcessGuard,
}

/// What an effect is about, and in which store.
type EffectKey = (PathBuf, EffectKind, RunId, Option<AttemptId>);

/// What the threads of this process are at.
static UNDER_WAY: Mutex<BTreeSet<EffectKey>> = Mutex::new(BTreeSet::new());

/// One thread is at an effect.
#[derive(Debug)]
struct InProcessGuard(EffectKey);

impl InProcessGuard {
    /// `None` where another thread is at it.
    fn try_enter(about: EffectKey) -> Option<Self> {
        effects_in_process().insert(about.clone()).then(|| Self(about))
    }
}

impl Drop for InProcessGuard {
    fn drop(&mut self) {
        effects_in_process().remove(&self.0);
    }
}

/// Whoever panicked meanwhile has left the set whole.
fn effects_in_process() -> MutexGuard<'static, BTreeSet<EffectKey>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of asking for an effect.
pub(crate) enum LeaseAcquisition {
    /// It was done, or nobody wants it any more.
    AlreadyDone,
    /// It is ours.
    Acquired(EffectLease),
    /// A living process performs it.
    HeldElsewhere,
}

impl EffectLease {
    /// Takes the effect away in the transaction that reports it; `false` when somebody else has taken it meanwhile.
    pub(crate) fn finish(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        Ok(effect::delete_performed(tx, self.effect.id, self.effect.taken)?)
    }

    /// Writes down what is about to be done; `false` when somebody else has taken the effect meanwhile.
    pub(crate) fn record_intent(&self, tx: &mut Transaction<'_>, intent: &str) -> Result<bool, Error> {
        Ok(effect::record_intent(tx, self.effect.id, self.effect.taken, intent)?)
    }
}

/// Asks for an effect in the transaction that decides on it, to be performed by this process at once.
pub(crate) fn request_effect(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
    now: Time,
) -> Result<(), Error> {
    effect::insert(tx, kind, run, attempt, now)?;
    let Some(wanted) = effect::find_pending(tx, kind, run, attempt)? else { return Ok(()) };
    if wanted.holder.is_none() {
        effect::acquire_lease(tx, wanted.id, &current_holder(now), wanted.taken.saturating_add(1))?;
    }
    Ok(())
}

/// The same for an attempt, with what its performer has to know.
pub(crate) fn request_effect_with_intent(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: AttemptId,
    intent: &str,
    now: Time,
) -> Result<(), Error> {
    request_effect(tx, kind, run, Some(attempt), now)?;
    if let Some(asked) = effect::find_pending(tx, kind, run, Some(attempt))? {
        effect::record_intent(tx, asked.id, asked.taken, intent)?;
    }
    Ok(())
}

/// The same for a worktree: the lead who wants it is whom its worker will report to.
pub(crate) fn request_worktree(
    tx: &mut Transaction<'_>,
    run: RunId,
    attempt: AttemptId,
    lead: &Slug,
    now: Time,
) -> Result<(), Error> {
    request_effect_with_intent(tx, EffectKind::Prepare, run, attempt, lead.as_str(), now)
}

/// Writes down what the performer of an effect for a whole run has to know, in the transaction that asks for it.
pub(crate) fn set_effect_intent(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    intent: &str,
) -> Result<(), Error> {
    if let Some(asked) = effect::find_pending(tx, kind, run, None)? {
        effect::record_intent(tx, asked.id, asked.taken, intent)?;
    }
    Ok(())
}

/// Whether nobody alive performs an effect.
pub fn is_unheld(effect: &Effect, now: Time) -> bool {
    is_free(effect.holder.as_ref(), holder_liveness, now)
}

/// Takes an effect, if nobody alive performs it.
pub(crate) fn acquire_effect_lease(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<LeaseAcquisition, Error> {
    // First, so that what is read next is not what another thread is just ending.
    let here = InProcessGuard::try_enter((session.store_folder().to_owned(), kind, run, attempt));
    let there = session.read(|tx, _| Ok(effect::find_pending(tx, kind, run, attempt)?))?;
    let Some(seen) = there else { return Ok(LeaseAcquisition::AlreadyDone) };
    let Some(here) = here else { return Ok(LeaseAcquisition::HeldElsewhere) };
    let own_process = ProcessIdentity::of_current_process().to_string();
    if seen.holder.as_ref().is_some_and(|holder| holder.process == own_process && holder.host == host_id()) {
        return Ok(LeaseAcquisition::Acquired(EffectLease { effect: seen, _here: here }));
    }
    let taken = session.write(WriteDurability::Power, |tx, now| {
        let Some(found) = effect::find_pending(tx, kind, run, attempt)? else {
            return Ok(TxEnd::Rollback(Err(LeaseAcquisition::AlreadyDone)));
        };
        if !is_free(found.holder.as_ref(), holder_liveness, now) {
            return Ok(TxEnd::Rollback(Err(LeaseAcquisition::HeldElsewhere)));
        }
        let (holder, taken) = (current_holder(now), found.taken.saturating_add(1));
        effect::acquire_lease(tx, found.id, &holder, taken)?;
        Ok(TxEnd::Commit(Ok(Effect { holder: Some(holder), taken, ..found })))
    })?;
    Ok(match taken {
        Ok(effect) => LeaseAcquisition::Acquired(EffectLease { effect, _here: here }),
        Err(other) => other,
    })
}

/// Gives an effect back undone.
pub(crate) fn release_effect_lease(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    session.write(WriteDurability::Power, |tx, _| {
        effect::release_lease(tx, taken.effect.id, taken.effect.taken)?;
        Ok(TxEnd::Commit(()))
    })
}

fn current_holder(now: Time) -> EffectHolder {
    EffectHolder {
        host: host_id().to_owned(),
        process: ProcessIdentity::of_current_process().to_string(),
        until: now + HELD,
    }
}

fn holder_liveness(holder: &EffectHolder) -> HolderLiveness {
    if holder.host != host_id() {
        return HolderLiveness::Elsewhere;
    }
    match holder.process.parse::<ProcessIdentity>() {
        Ok(process) if process.is_alive() => HolderLiveness::Alive,
        _ => HolderLiveness::Dead,
    }
}
