//! Who performs an effect: taken from nobody, or from a process that is gone.
//!
//! The store knows processes, not their threads: which thread of this one is at an effect is known here alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::effect::{Effect, EffectKind, Holder, Liveness, is_free};
use orch_core::id::{AttemptId, RunId, Slug};
use orch_core::time::{Span, Time};
use orch_store::driver::Durability;
use orch_store::table::effect;
use orch_store::{Ending, Transaction};

use orch_inbox::{Error, Session};
use orch_process::{ProcessIdentity, host};

/// Until when a holder on another host is believed to be alive.
const HELD: Span = Span::hours(4);

/// An effect that is ours to perform, and no other thread's for as long as this lives.
#[derive(Debug)]
#[must_use = "an effect that was taken keeps others from performing it"]
pub(crate) struct Taken {
    /// The effect, with the number of this taking.
    pub effect: Effect,
    /// Never read: its end lets other threads come.
    _here: Here,
}

/// What an effect is about, and in which store.
type About = (PathBuf, EffectKind, RunId, Option<AttemptId>);

/// What the threads of this process are at.
static UNDER_WAY: Mutex<BTreeSet<About>> = Mutex::new(BTreeSet::new());

/// One thread is at an effect.
#[derive(Debug)]
struct Here(About);

impl Here {
    /// `None` where another thread is at it.
    fn begin(about: About) -> Option<Self> {
        under_way().insert(about.clone()).then(|| Self(about))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        under_way().remove(&self.0);
    }
}

/// Whoever panicked meanwhile has left the set whole.
fn under_way() -> MutexGuard<'static, BTreeSet<About>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Writes down what the performer of an effect for a whole run has to know, in the transaction that asks for it.
pub(crate) fn note(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    intent: &str,
) -> Result<(), Error> {
    if let Some(asked) = effect::of(tx, kind, run, None)? {
        effect::intend(tx, asked.id, asked.taken, intent)?;
    }
    Ok(())
}

/// Whether nobody alive performs an effect.
pub fn is_left(effect: &Effect, now: Time) -> bool {
    is_free(effect.holder.as_ref(), liveness, now)
}

/// Takes an effect, if nobody alive performs it.
pub(crate) fn take(
    session: &mut Session,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<Taking, Error> {
    // First, so that what is read next is not what another thread is just ending.
    let here = Here::begin((session.store_folder().to_owned(), kind, run, attempt));
    let there = session.read(|tx, _| Ok(effect::of(tx, kind, run, attempt)?))?;
    let Some(seen) = there else { return Ok(Taking::Done) };
    let Some(here) = here else { return Ok(Taking::Others) };
    let own_process = ProcessIdentity::own().to_string();
    if seen.holder.as_ref().is_some_and(|holder| holder.process == own_process && holder.host == host()) {
        return Ok(Taking::Ours(Taken { effect: seen, _here: here }));
    }
    let taken = session.write(Durability::Power, |tx, now| {
        let Some(found) = effect::of(tx, kind, run, attempt)? else {
            return Ok(Ending::Undo(Err(Taking::Done)));
        };
        if !is_free(found.holder.as_ref(), liveness, now) {
            return Ok(Ending::Undo(Err(Taking::Others)));
        }
        let (holder, taken) = (own(now), found.taken.saturating_add(1));
        effect::hold(tx, found.id, &holder, taken)?;
        Ok(Ending::Keep(Ok(Effect { holder: Some(holder), taken, ..found })))
    })?;
    Ok(match taken {
        Ok(effect) => Taking::Ours(Taken { effect, _here: here }),
        Err(other) => other,
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
