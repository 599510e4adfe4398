//! `orch wait`: returns as soon as an unacknowledged event needs the lead.

use std::cell::Cell;

use orch_core::event::{AwaitedEvent, Event, EventKind};
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::run::{DoneWhen, Run, RunOutcome, RunState};
use orch_core::task::{TaskState, decide};
use orch_core::time::TimeSpan;
use orch_store::Transaction;
use orch_store::table::{agent, event, run as run_table, supervisor, task as task_table, thread};

use orch_inbox::error::WaitTarget;
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::presence::{ProcessLiveness, process_liveness};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;

/// A request to wait for events.
#[derive(Clone, Debug)]
pub struct EventWaitRequest {
    /// The lead.
    pub agent: Slug,
    /// Only events of this run; of all unfinished runs when not given.
    pub run: Option<Slug>,
    /// The kinds of events; empty for the events that need the lead.
    pub wakes: Vec<AwaitedEvent>,
    /// Only events after this one; after the acknowledged cursor when not given.
    pub after: Option<EventId>,
    /// The longest wait.
    pub timeout: TimeSpan,
    /// The most events to return.
    pub limit: u32,
}

/// The events that ended a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWaitOutcome {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// The number of the last event: what to acknowledge, or to wait after.
    pub cursor: EventId,
    /// The runs of these events that ended with tasks that are not done.
    pub incomplete: Vec<Slug>,
}

/// Waits for events; no cursor moves.
///
/// # Errors
/// `TimedOut`: no event came in time. `Invalid`: the wait would begin beyond the newest event.
pub fn wait_for_events(session: &mut Session, request: &EventWaitRequest) -> Result<EventWaitOutcome, Error> {
    let scope = session.read(|tx, _| WaitScope::resolve_scope(tx, request))?;
    // Every event up to this one was examined, and is not awaited.
    let examined = Cell::new(scope.after);
    let by_default = request.wakes.is_empty();
    let wakes = if by_default { &AwaitedEvent::DEFAULT[..] } else { &request.wakes };
    let kinds: Vec<EventKind> = wakes.iter().flat_map(|wake| wake.event_kinds()).copied().collect();
    let found = wait_until(session, request.timeout, |session| {
        read_fresh(session, |tx, _| {
            let mut events = Vec::new();
            for (run, after) in scope.current_runs(tx)? {
                if by_default {
                    events.extend(list_needing_lead(tx, run, after, &kinds, request)?);
                } else {
                    events.extend(event::list_of_kinds(tx, run, after, &kinds, request.limit)?);
                }
            }
            events.sort_by_key(|event| event.id);
            events.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
            let Some(last) = events.last().map(|event| event.id) else {
                examined.set(event::newest_id(tx)?);
                return Ok(PollOutcome::NotYet(thread::next_timer(tx)?));
            };
            let incomplete = incomplete_runs(tx, &events)?;
            Ok(PollOutcome::Found(EventWaitOutcome { events, cursor: last, incomplete }))
        })
    })?;
    found.ok_or(Error::TimedOut(WaitTarget::Events(examined.get())))
}

/// Lists the events of a run that need the lead, up to the limit of the request.
fn list_needing_lead(
    tx: &mut Transaction<'_>,
    run: RunId,
    mut after: EventId,
    kinds: &[EventKind],
    request: &EventWaitRequest,
) -> Result<Vec<Event>, Error> {
    let (mut found, mut filter) = (Vec::new(), None);
    loop {
        let events = event::list_of_kinds(tx, run, after, kinds, request.limit)?;
        let Some(last) = events.last().map(|event| event.id) else { return Ok(found) };
        let is_last_part = (events.len() as u64) < u64::from(request.limit);
        after = last;
        let filter = match &mut filter {
            Some(filter) => filter,
            None => filter.insert(LeadFilter::load(tx, run)?),
        };
        for event in events {
            if filter.needs_lead(tx, &event, &request.agent)? {
                found.push(event);
            }
        }
        if is_last_part || !found.is_empty() {
            return Ok(found);
        }
    }
}

/// Whether the events of a run need the lead, as the run is now.
struct LeadFilter {
    run: Option<Run>,
    /// Whether a supervisor drives the run.
    is_driven: bool,
}

impl LeadFilter {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let is_driven = supervisor::list_all(tx)?.iter().any(|row| {
            row.run.is_none_or(|driven| driven == run)
                && process_liveness(&row.host, &row.process) != ProcessLiveness::Dead
        });
        Ok(Self { run: run_table::load(tx, run)?, is_driven })
    }

    fn needs_lead(&self, tx: &mut Transaction<'_>, event: &Event, lead: &Slug) -> Result<bool, Error> {
        Ok(match event.kind {
            // What is retried needs the lead only when no process retries it.
            EventKind::Failed | EventKind::Rejected | EventKind::Lost | EventKind::Fault => {
                !self.is_driven || !event.is_retried()
            }
            EventKind::Reported => self.waits_for_integration(tx, event)?,
            EventKind::RunPaused => event.agent.as_ref() != Some(lead),
            _ => true,
        })
    }

    /// Whether a reported attempt waits for `orch integrate`.
    fn waits_for_integration(&self, tx: &mut Transaction<'_>, event: &Event) -> Result<bool, Error> {
        let Some(run) = &self.run else { return Ok(false) };
        if self.is_driven || run.ground.is_none() || run.policy.done_when != DoneWhen::Integrated {
            return Ok(false);
        }
        let Some(name) = &event.task else { return Ok(false) };
        let task = task_table::load_by_key(tx, run.id, &name.key)?;
        Ok(task.is_some_and(|task| {
            task.state == TaskState::Reported && decide::attempt_name(&task) == event.attempt
        }))
    }
}

/// The runs of a wait, each with the event after which it begins.
struct WaitScope {
    runs: Vec<(RunId, EventId)>,
    /// Whether runs that are created later belong to it.
    includes_new_runs: bool,
    after: EventId,
}

impl WaitScope {
    fn resolve_scope(tx: &mut Transaction<'_>, request: &EventWaitRequest) -> Result<Self, Error> {
        let whole = agent::load_event_cursor(tx, &request.agent, None)?;
        require_known_event(tx, request.after)?;
        let after = request.after.or(whole).unwrap_or(EventId(0));
        let mut runs: Vec<RunId> =
            lookup::find_runs(tx, request.run.as_ref())?.iter().map(|run| run.id).collect();
        // A run that ended after the cursor counts, even if other runs are unfinished.
        if request.run.is_none() && after > EventId(0) {
            runs.extend(event::runs_ended_after(tx, after)?);
            runs.sort_unstable();
            runs.dedup();
        }
        let mut scope = Self { runs: Vec::new(), includes_new_runs: request.run.is_none(), after };
        for run in runs {
            let own = agent::load_event_cursor(tx, &request.agent, Some(run))?.unwrap_or(EventId(0));
            let after = request.after.unwrap_or_else(|| after.max(own));
            scope.runs.push((run, after));
        }
        Ok(scope)
    }

    /// Returns the runs, with those that were created during the wait.
    fn current_runs(&self, tx: &mut Transaction<'_>) -> Result<Vec<(RunId, EventId)>, Error> {
        let mut runs = self.runs.clone();
        if self.includes_new_runs {
            for run in run_table::list_unfinished(tx)? {
                if !runs.iter().any(|(known, _)| *known == run.id) {
                    runs.push((run.id, self.after));
                }
            }
        }
        Ok(runs)
    }
}

/// Refuses a cursor beyond the newest event: a wait from there would miss the next events.
pub fn require_known_event(tx: &mut Transaction<'_>, after: Option<EventId>) -> Result<(), Error> {
    let newest = event::newest_id(tx)?;
    if after.is_some_and(|after| after > newest) {
        let problem = ArgumentProblem::BeyondEvents { newest };
        return Err(Refusal::Invalid { argument: "--after", problem }.into());
    }
    Ok(())
}

/// Returns the runs that ended, according to the events, with tasks that are not done.
fn incomplete_runs(tx: &mut Transaction<'_>, events: &[Event]) -> Result<Vec<Slug>, Error> {
    let kinds = AwaitedEvent::Finished.event_kinds();
    let mut names: Vec<Slug> = Vec::new();
    for name in
        events.iter().filter(|event| kinds.contains(&event.kind)).filter_map(|event| event.run.as_ref())
    {
        if !names.contains(name) && run_table::load_by_name(tx, name)?.as_ref().is_some_and(ended_incomplete)
        {
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
