//! `orch wait`: returns as soon as something unacknowledged needs the lead.

use std::cell::Cell;

use orch_core::event::{Event, EventKind, Wake};
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::{Problem, Refusal};
use orch_core::run::{Outcome, Run, RunState};
use orch_core::time::Span;
use orch_store::Transaction;
use orch_store::table::{agent, event, run as run_table, thread};

use super::scope;
use super::stage::read_fresh;
use orch_inbox::error::Awaited;
use orch_inbox::wake::{Look, wait_until};
use orch_inbox::{Error, Session};

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Who waits.
    pub agent: Slug,
    /// In which run; in all unfinished ones when not given.
    pub run: Option<Slug>,
    /// For what.
    pub wakes: Vec<Wake>,
    /// After this event; the acknowledged cursor when not given.
    pub after: Option<EventId>,
    /// How long.
    pub timeout: Span,
    /// The most events to return.
    pub limit: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// The last one's number: what to acknowledge, or to wait after.
    pub cursor: EventId,
    /// Runs named in the events that ended with unfinished work (failed, skipped or cancelled as a whole).
    pub incomplete: Vec<Slug>,
}

/// Waits; nothing is marked as seen.
///
/// # Errors
/// The wait timed out, it is to begin beyond the newest event, or the store failed.
pub fn wait(session: &mut Session, request: &Wait) -> Result<Waited, Error> {
    let scope = session.read(|tx, _| Scope::of(tx, request))?;
    // Whatever was there at the last look was none of what is waited for.
    let looked_through = Cell::new(scope.after);
    let kinds: Vec<EventKind> = request.wakes.iter().flat_map(|wake| wake.kinds()).copied().collect();
    let found = wait_until(session, request.timeout, |session| {
        read_fresh(session, |tx, _| {
            let mut events = Vec::new();
            for (run, after) in scope.runs(tx)? {
                events.extend(event::waking(tx, run, after, &kinds, request.limit)?);
            }
            events.sort_by_key(|event| event.id);
            events.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
            let Some(last) = events.last().map(|event| event.id) else {
                looked_through.set(event::newest(tx)?);
                return Ok(Look::Nothing(thread::next_timer(tx)?));
            };
            let incomplete = incomplete(tx, &events)?;
            Ok(Look::Found(Waited { events, cursor: last, incomplete }))
        })
    })?;
    found.ok_or(Error::TimedOut(Awaited::Events(looked_through.get())))
}

/// Which runs a wait looks at, and after which event in each.
struct Scope {
    runs: Vec<(RunId, EventId)>,
    /// Whether runs that are made later count as well.
    open: bool,
    after: EventId,
}

impl Scope {
    fn of(tx: &mut Transaction<'_>, request: &Wait) -> Result<Self, Error> {
        let whole = agent::event_cursor(tx, &request.agent, None)?;
        require_known(tx, request.after)?;
        let after = request.after.or(whole).unwrap_or(EventId(0));
        let mut runs: Vec<RunId> = scope::runs(tx, request.run.as_ref())?.iter().map(|run| run.id).collect();
        // A run that ended since the lead last looked is still news, even if other runs go on.
        if request.run.is_none() && after > EventId(0) {
            runs.extend(event::runs_ended_after(tx, after)?);
            runs.sort_unstable();
            runs.dedup();
        }
        let mut scope = Self { runs: Vec::new(), open: request.run.is_none(), after };
        for run in runs {
            let own = agent::event_cursor(tx, &request.agent, Some(run))?.unwrap_or(EventId(0));
            let after = request.after.unwrap_or_else(|| after.max(own));
            scope.runs.push((run, after));
        }
        Ok(scope)
    }

    /// The runs, with those that were made while waiting.
    fn runs(&self, tx: &mut Transaction<'_>) -> Result<Vec<(RunId, EventId)>, Error> {
        let mut runs = self.runs.clone();
        if self.open {
            for run in run_table::unfinished(tx)? {
                if !runs.iter().any(|(known, _)| *known == run.id) {
                    runs.push((run.id, self.after));
                }
            }
        }
        Ok(runs)
    }
}

/// Nothing can have been seen beyond the newest event: who goes on from there would miss what comes next.
pub(crate) fn require_known(tx: &mut Transaction<'_>, after: Option<EventId>) -> Result<(), Error> {
    let newest = event::newest(tx)?;
    if after.is_some_and(|after| after > newest) {
        let problem = Problem::BeyondEvents { newest };
        return Err(Refusal::Invalid { argument: "--after", problem }.into());
    }
    Ok(())
}

/// Runs that ended, as the events say, with work that is not done.
fn incomplete(tx: &mut Transaction<'_>, events: &[Event]) -> Result<Vec<Slug>, Error> {
    let mut names = Vec::new();
    for name in events.iter().filter(|event| Wake::Finished.kinds().contains(&event.kind)) {
        let Some(name) = &name.run else { continue };
        let run = run_table::by_name(tx, name)?;
        if run.as_ref().is_some_and(ended_incomplete) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

fn ended_incomplete(run: &Run) -> bool {
    match run.state {
        RunState::Open | RunState::Paused(_) | RunState::Finished(Outcome::Succeeded) => false,
        RunState::Finished(Outcome::Partial | Outcome::Failed) | RunState::Cancelled => true,
    }
}
