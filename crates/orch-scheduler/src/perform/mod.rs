//! Performing effects: a decision asks for an operation outside the store, and any process performs it after the commit.
//!
//! Each kind has a file with one idempotent function: it compares, does what is missing, and reports by a decision of its own, which also deletes the effect.
//! A failure is reported and recorded with the effect, which stays pending, or that same decision gives it up.
//! Start at [`complete_effect`].

mod ahead;
pub(crate) mod baseline;
pub(crate) mod branch;
mod candidate;
pub mod check_settings;
pub mod clear;
pub mod effect_lease;
pub(crate) mod hand_over;
mod integrate;
pub(crate) mod land;
pub(crate) mod prepare;
pub mod remove;
pub(crate) mod repair;
pub(crate) mod restore;
mod stuck;
pub(crate) mod sweep;
pub(crate) mod sync;
pub(crate) mod verify;

use std::collections::BTreeSet;

use orch_core::effect::{Effect, EffectKey, EffectKind, PendingEffect};
use orch_core::id::{RunId, Slug};
use orch_store::table::effect;

use crate::lookup;
use check_settings::CheckSettings;
use effect_lease::{EffectLease, LeaseAcquisition, complete_by};
use orch_inbox::{Error, Session};

/// Completes a pending effect: performs it, or waits for the process that performs it.
pub fn complete_effect(session: &mut Session, key: EffectKey) -> Result<(), Error> {
    complete_by(session, key, perform_effect)
}

/// Completes a pending effect, whose performer runs checks with these settings.
pub fn complete_effect_with(
    session: &mut Session,
    key: EffectKey,
    checks: CheckSettings,
) -> Result<(), Error> {
    match EffectLease::wait_and_acquire(session, key)? {
        None => Ok(()),
        Some(lease) => lease.with_checks(checks).perform(session, perform_effect),
    }
}

/// An effect that was performed.
pub(crate) struct PerformedEffect {
    /// The effect.
    pub effect: PendingEffect,
    /// The run that it was for.
    pub run: Slug,
    /// Whether it succeeded.
    pub outcome: Result<(), Error>,
}

/// How many rounds of effects, each asked for by the one before, are performed.
const ROUNDS_MAX: usize = 4;

/// Which pending effects are performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingChoice {
    /// Those that may be tried now.
    Due,
    /// Also those that failed, however recently.
    All,
}

/// Performs the pending effects of one run or of all that no other process performs, and those that they ask for in turn.
pub(crate) fn perform_outstanding(
    session: &mut Session,
    run: Option<RunId>,
    choice: PendingChoice,
) -> Result<Vec<PerformedEffect>, Error> {
    let (mut performed, mut skipped) = (Vec::new(), BTreeSet::new());
    for _ in 0..ROUNDS_MAX {
        let mut effects = session.read(|tx, now| {
            let mut effects = effect::list_pending(tx, run)?;
            effects.retain(|effect| choice == PendingChoice::All || effect.retries.is_due(now));
            Ok(effects)
        })?;
        effects.retain(|effect| !skipped.contains(&effect.id));
        if effects.is_empty() {
            break;
        }
        // Spares that the others return to the pool are swept after them.
        effects.sort_by_key(|effect| effect.effect.kind() == EffectKind::Sweep);
        for effect in effects {
            let LeaseAcquisition::Acquired(lease) = EffectLease::acquire(session, effect.key())? else {
                skipped.insert(effect.id);
                continue;
            };
            // Loaded first, because performing the effect may delete the run.
            let run = session.read(|tx, _| lookup::load_run(tx, effect.run))?.name;
            let outcome = lease.perform(session, perform_effect);
            if outcome.is_err() {
                skipped.insert(effect.id);
            }
            performed.push(PerformedEffect { effect, run, outcome });
        }
    }
    Ok(performed)
}

fn perform_effect(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    match &lease.effect {
        Effect::CreateBranch => branch::create_run_branch(session, lease),
        Effect::PrepareWorktree { attempt, lead } => {
            prepare::prepare_worktree(session, lease, *attempt, lead.as_ref())
        }
        Effect::CheckBaseline => baseline::check_baseline(session, lease),
        Effect::VerifyAttempt { attempt, .. } => verify::verify_attempt(session, lease, *attempt),
        Effect::IntegrateRun { merging } => {
            integrate::merge_reported_attempts(session, lease, merging.as_ref())
        }
        Effect::ClearWorktree { attempt, mode } => clear::clear_worktree(session, lease, *attempt, *mode),
        Effect::RestoreWorktree { attempt, to } => {
            restore::restore_worktree(session, lease, *attempt, to.as_deref())
        }
        Effect::LandRun(landing) => land::perform_landing(session, lease, landing.as_ref()),
        Effect::SyncRun(plan) => sync::perform_sync(session, lease, plan.as_ref()),
        Effect::RepairBranch { adopt } => repair::repair_branch(session, lease, *adopt),
        Effect::SweepWorktrees => sweep::sweep_run(session, lease),
        Effect::RemoveRun { requested_by, purge } => {
            remove::perform_removal(session, lease, requested_by.as_ref(), *purge)
        }
    }
}
