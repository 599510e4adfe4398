//! Who performs an effect: taken from nobody, or from a process that is gone. In the store a process holds it; which
//! thread of that process performs it is known there alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::effect::{Effect, EffectKind, Holder, Liveness, is_free};
use orch_core::id::{AttemptId, EffectId, RunId, Slug};
use orch_core::time::{Span, Time};
use orch_store::driver::Durability;
use orch_store::table::effect;
use orch_store::{Ending, Transaction};

use crate::world::process::{ProcessIdentity, host};
use crate::{Error, Session};

/// Until when a holder on another host is believed to be alive.
const HELD: Span = Span::hours(4);

/// An effect that is ours to perform.
#[derive(Clone, Debug)]
#[must_use = "an effect that was taken keeps others from performing it"]
pub(crate) struct Taken {
    /// The effect, with the number of this taking.
    pub effect: Effect,
    /// Keeps the other threads of this process from it.
    _claim: Arc<Claim>,
}

/// Of what this process holds: what one of its threads performs, by store and effect.
static CLAIMED: Mutex<BTreeSet<(PathBuf, EffectId)>> = Mutex::new(BTreeSet::new());

/// That a thread performs an effect, until it is dropped.
#[derive(Debug)]
struct Claim(PathBuf, EffectId);

impl Claim {
    fn new(session: &Session, effect: EffectId) -> Option<Self> {
        let key = (session.store_folder().to_owned(), effect);
        let free = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        free.then_some(Self(key.0, key.1))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let key = (std::mem::take(&mut self.0), self.1);
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

/// What came of asking for an effect.
pub(crate) enum Taking {
    /// It was done, or nobody wants it any more.
    Done,
    /// It is ours.
    Ours(Taken),
    /// A living process performs it.
    Others,
}

impl Taken {
    /// Takes the effect away in the transaction that reports it; `false` when somebody else has taken it meanwhile.
    pub(crate) fn finish(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        Ok(effect::finish(tx, self.effect.id, self.effect.taken)?)
    }

    /// Writes down what is about to be done; `false` when somebody else has taken the effect meanwhile.
    pub(crate) fn intend(&self, tx: &mut Transaction<'_>, intent: &str) -> Result<bool, Error> {
        Ok(effect::intend(tx, self.effect.id, self.effect.taken, intent)?)
    }
}

/// Asks for an effect in the transaction that decides on it, to be performed by this process at once.
pub(crate) fn ask(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
    now: Time,
) -> Result<(), Error> {
    effect::insert(tx, kind, run, attempt, now)?;
    let Some(wanted) = effect::of(tx, kind, run, attempt)? else { return Ok(()) };
    if wanted.holder.is_none() {
        effect::hold(tx, wanted.id, &own(now), wanted.taken.saturating_add(1))?;
    }
    Ok(())
}

/// The same for an attempt, with what its performer has to know.
pub(crate) fn ask_with(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: AttemptId,
    intent: &str,
    now: Time,
) -> Result<(), Error> {
    ask(tx, kind, run, Some(attempt), now)?;
    if let Some(asked) = effect::of(tx, kind, run, Some(attempt))? {
        effect::intend(tx, asked.id, asked.taken, intent)?;
    }
    Ok(())
}

/// The same for a worktree: the lead who wants it is whom its worker will report to.
pub(crate) fn ask_for_tree(
    tx: &mut Transaction<'_>,
    run: RunId,
    attempt: AttemptId,
    lead: &Slug,
    now: Time,
) -> Result<(), Error> {
    ask_with(tx, EffectKind::Prepare, run, attempt, lead.as_str(), now)
}

/// Whether nobody alive performs an effect.
pub(crate) fn is_left(effect: &Effect, now: Time) -> bool {
    is_free(effect.holder.as_ref(), liveness, now)
}

/// Takes an effect, if nobody alive performs it.
pub(crate) fn take(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<Taking, Error> {
    let read = |session: &mut Session| session.read(|tx, _| Ok(effect::of(tx, kind, run, attempt)?));
    let Some(wanted) = read(session)? else { return Ok(Taking::Done) };
    let Some(claim) = Claim::new(session, wanted.id).map(Arc::new) else { return Ok(Taking::Others) };
    // Another thread of ours may have finished it before this one could claim it.
    let Some(seen) = read(session)?.filter(|seen| seen.id == wanted.id) else { return Ok(Taking::Others) };
    let own_process = ProcessIdentity::own().to_string();
    if seen.holder.as_ref().is_some_and(|holder| holder.process == own_process && holder.host == host()) {
        return Ok(Taking::Ours(Taken { effect: seen, _claim: claim }));
    }
    session.write(Durability::Power, |tx, now| {
        let Some(found) = effect::of(tx, kind, run, attempt)? else { return Ok(Ending::Undo(Taking::Done)) };
        if found.id != wanted.id || !is_free(found.holder.as_ref(), liveness, now) {
            return Ok(Ending::Undo(Taking::Others));
        }
        let (holder, taken) = (own(now), found.taken.saturating_add(1));
        effect::hold(tx, found.id, &holder, taken)?;
        let effect = Effect { holder: Some(holder), taken, ..found };
        Ok(Ending::Keep(Taking::Ours(Taken { effect, _claim: Arc::clone(&claim) })))
    })
}

/// Gives an effect back undone.
pub(crate) fn let_go(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    session.write(Durability::Power, |tx, _| {
        effect::let_go(tx, taken.effect.id, taken.effect.taken)?;
        Ok(Ending::Keep(()))
    })
}

fn own(now: Time) -> Holder {
    Holder { host: host().to_owned(), process: ProcessIdentity::own().to_string(), until: now + HELD }
}

fn liveness(holder: &Holder) -> Liveness {
    if holder.host != host() {
        return Liveness::Elsewhere;
    }
    match holder.process.parse::<ProcessIdentity>() {
        Ok(process) if process.is_alive() => Liveness::Alive,
        _ => Liveness::Dead,
    }
}
