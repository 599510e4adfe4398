//! `orch wait`: returns as soon as something unacknowledged needs the lead.

use std::cell::Cell;

use orch_core::event::{AwaitedEvent, Event, EventKind};
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::run::{Run, RunOutcome, RunState};
use orch_core::time::TimeSpan;
use orch_store::Transaction;
use orch_store::table::{agent, event, run as run_table, thread};

use super::fresh_read::read_fresh;
use super::lookup;
use orch_inbox::error::WaitTarget;
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};

/// What is waited for.
#[derive(Clone, Debug)]
pub struct EventWaitRequest {
    /// Who waits.
    pub agent: Slug,
    /// In which run; in all unfinished ones when not given.
    pub run: Option<Slug>,
    /// For what.
    pub wakes: Vec<AwaitedEvent>,
    /// After this event; the acknowledged cursor when not given.
    pub after: Option<EventId>,
    /// How long.
    pub timeout: TimeSpan,
    /// The most events to return.
    pub limit: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWaitOutcome {
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
pub fn wait_for_events(session: &mut Session, request: &EventWaitRequest) -> Result<EventWaitOutcome, Error> {
    let scope = session.read(|tx, _| WaitScope::resolve_scope(tx, request))?;
    // Whatever was there at the last look was none of what is waited for.
    let looked_through = Cell::new(scope.after);
    let kinds: Vec<EventKind> = request.wakes.iter().flat_map(|wake| wake.event_kinds()).copied().collect();
    let found = wait_until(session, request.timeout, |session| {
        read_fresh(session, |tx, _| {
            let mut events = Vec::new();
            for (run, after) in scope.current_runs(tx)? {
                events.extend(event::list_of_kinds(tx, run, after, &kinds, request.limit)?);
            }
            events.sort_by_key(|event| event.id);
            events.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
            let Some(last) = events.last().map(|event| event.id) else {
                looked_through.set(event::newest_id(tx)?);
                return Ok(PollOutcome::NotYet(thread::next_timer(tx)?));
            };
            let incomplete = incomplete_runs(tx, &events)?;
            Ok(PollOutcome::Found(EventWaitOutcome { events, cursor: last, incomplete }))
        })
    })?;
    found.ok_or(Error::TimedOut(WaitTarget::Events(looked_through.get())))
}

/// Which runs a wait looks at, and after which event in each.
struct WaitScope {
    runs: Vec<(RunId, EventId)>,
    /// Whether runs that are made later count as well.
    open: bool,
    after: EventId,
}

impl WaitScope {
    fn resolve_scope(tx: &mut Transaction<'_>, request: &EventWaitRequest) -> Result<Self, Error> {
        let whole = agent::load_event_cursor(tx, &request.agent, None)?;
        require_known_event(tx, request.after)?;
        let after = request.after.or(whole).unwrap_or(EventId(0));
        let mut runs: Vec<RunId> =
            lookup::find_runs(tx, request.run.as_ref())?.iter().map(|run| run.id).collect();
        // A run that ended since the lead last looked is still news, even if other runs go on.
        if request.run.is_none() && after > EventId(0) {
            runs.extend(event::runs_ended_after(tx, after)?);
            runs.sort_unstable();
            runs.dedup();
        }
        let mut scope = Self { runs: Vec::new(), open: request.run.is_none(), after };
        for run in runs {
            let own = agent::load_event_cursor(tx, &request.agent, Some(run))?.unwrap_or(EventId(0));
            let after = request.after.unwrap_or_else(|| after.max(own));
            scope.runs.push((run, after));
        }
        Ok(scope)
    }

    /// The runs, with those that were made while waiting.
    fn current_runs(&self, tx: &mut Transaction<'_>) -> Result<Vec<(RunId, EventId)>, Error> {
        let mut runs = self.runs.clone();
        if self.open {
            for run in run_table::list_unfinished(tx)? {
                if !runs.iter().any(|(known, _)| *known == run.id) {
                    runs.push((run.id, self.after));
                }
            }
        }
        Ok(runs)
    }
}

/// Nothing can have been seen beyond the newest event: who goes on from there would miss what comes next.
pub(crate) fn require_known_event(tx: &mut Transaction<'_>, after: Option<EventId>) -> Result<(), Error> {
    let newest = event::newest_id(tx)?;
    if after.is_some_and(|after| after > newest) {
        let problem = ArgumentProblem::BeyondEvents { newest };
        return Err(Refusal::Invalid { argument: "--after", problem }.into());
    }
    Ok(())
}

/// Runs that ended, as the events say, with work that is not done.
fn incomplete_runs(tx: &mut Transaction<'_>, events: &[Event]) -> Result<Vec<Slug>, Error> {
    let mut names = Vec::new();
    for name in events.iter().filter(|event| AwaitedEvent::Finished.event_kinds().contains(&event.kind)) {
        let Some(name) = &name.run else { continue };
        let run = run_table::load_by_name(tx, name)?;
        if run.as_ref().is_some_and(ended_incomplete) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

fn ended_incomplete(run: &Run) -> bool {
    match run.state {
        RunState::Open | RunState::Paused(_) | RunState::Finished(RunOutcome::Succeeded) => false,
        RunState::Finished(RunOutcome::Partial | RunOutcome::Failed) | RunState::Cancelled => true,
    }
}
