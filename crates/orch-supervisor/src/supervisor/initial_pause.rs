//! Pauses that were requested before a supervisor started: who names a run that was stopped resumes it, and a
//! supervisor without a terminal does not wait for the end of a pause.

use std::collections::BTreeSet;

use orch_core::id::{RunId, Slug};
use orch_core::run::{PauseReason, Run};
use orch_inbox::{Error, Session};
use orch_scheduler::lookup;
use orch_scheduler::run::{RunAction, change_run};

use super::scope::DriveScope;
use super::snapshot::PassSnapshot;
use super::stop_reason::StopReason;

/// Resumes the run if `orch stop` paused it.
///
/// # Errors
/// The run does not exist.
pub fn resume_stopped_run(session: &mut Session, who: &Slug, run: &Slug) -> Result<(), Error> {
    let found = session.read(|tx, _| lookup::find_run(tx, Some(run)))?;
    if found.state.pause_reason() == Some(PauseReason::Stop) {
        change_run(session, None, who, Some(run), RunAction::Resume)?;
    }
    Ok(())
}

/// Returns the named run, or all unfinished ones, if a person has to resume each of them that is not finished.
///
/// # Errors
/// The run does not exist.
pub fn find_requested_pauses(session: &mut Session, run: Option<&Slug>) -> Result<Vec<Run>, Error> {
    let runs = session.read(|tx, _| lookup::find_runs(tx, run))?;
    Ok(if requested_pause(&runs).is_some() { runs } else { Vec::new() })
}

/// Returns the first run that a person paused, if all others are paused in this way, or finished.
fn requested_pause<'r>(runs: impl IntoIterator<Item = &'r Run>) -> Option<&'r Run> {
    let mut first = None;
    for run in runs.into_iter().filter(|run| run.state.status().is_unfinished()) {
        if !is_paused_on_request(run) {
            return None;
        }
        first = first.or(Some(run));
    }
    first
}

fn is_paused_on_request(run: &Run) -> bool {
    run.state.pause_reason().is_some_and(PauseReason::is_requested)
}

/// The runs that have been paused on request since before the supervisor started.
#[derive(Debug, Default)]
pub(super) struct InitialPauses(BTreeSet<RunId>);

impl InitialPauses {
    /// Finds them, unless the supervisor waits until they are resumed.
    pub(super) fn find(session: &mut Session, scope: &DriveScope, waits: bool) -> Result<Self, Error> {
        if waits {
            return Ok(Self::default());
        }
        let runs = session.read(|tx, _| scope.load_runs(tx))?;
        Ok(Self(runs.iter().filter(|run| is_paused_on_request(run)).map(|run| run.id).collect()))
    }

    /// Forgets the runs that were resumed.
    pub(super) fn update(&mut self, snapshot: &PassSnapshot) {
        if !self.0.is_empty() {
            let still_paused = |id: &RunId| {
                snapshot.runs.iter().any(|run| run.run.id == *id && is_paused_on_request(&run.run))
            };
            self.0.retain(still_paused);
        }
    }

    /// Returns why nothing is left to do until a person resumes a run.
    pub(super) fn stop_reason(&self, snapshot: &PassSnapshot) -> Option<StopReason> {
        let paused = requested_pause(snapshot.runs.iter().map(|run| &run.run))?;
        let unfinished =
            snapshot.runs.iter().map(|run| &run.run).filter(|run| run.state.status().is_unfinished());
        let are_old = unfinished.into_iter().all(|run| self.0.contains(&run.id));
        are_old.then(|| StopReason::of_pause(paused)).flatten()
    }
}
