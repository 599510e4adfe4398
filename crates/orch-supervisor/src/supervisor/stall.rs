//! Why nothing moves while a supervisor waits, in words for whoever looks on.

use std::collections::BTreeSet;

use orch_core::id::Slug;
use orch_core::run::{PauseReason, Run, RunState};
use orch_store::table::profile_cooldown;

use super::DriveScope;
use super::worker_pool::{WorkerPool, unclaimed_dispatches};
use orch_inbox::{Error, Session};

/// What was said already: each thing once.
#[derive(Debug, Default)]
pub(super) struct StallReporter(BTreeSet<String>);

impl StallReporter {
    /// What is new of the reasons why nothing moves.
    pub(super) fn new_reasons(
        &mut self,
        session: &mut Session,
        scope: &DriveScope,
        crew: &mut WorkerPool,
    ) -> Result<Vec<String>, Error> {
        let mut reasons = Vec::new();
        for run in scope.load_runs(session)?.iter().filter(|run| run.state.status().is_unfinished()) {
            reasons.extend(run_stall_reasons(session, run, crew)?);
        }
        reasons.extend(profile_stall_reasons(session, crew)?);
        reasons.retain(|reason| self.0.insert(reason.clone()));
        Ok(reasons)
    }
}

fn run_stall_reasons(session: &mut Session, run: &Run, crew: &mut WorkerPool) -> Result<Vec<String>, Error> {
    let name = &run.name;
    let is_held = matches!(&run.state, RunState::Paused(pause) if pause.reason == PauseReason::Requested);
    if is_held {
        return Ok(vec![format!("The run {name} is paused: orch run resume {name}")]);
    }
    if run.counts.total() == 0 {
        return Ok(vec![format!("The run {name} has no task yet: orch task add TITLE --run {name}")]);
    }
    let mut strangers: BTreeSet<Slug> = BTreeSet::new();
    for (_, agent) in unclaimed_dispatches(session, run)? {
        if crew.slots_for_profile(&agent).is_none() {
            strangers.insert(agent);
        }
    }
    let strange = |agent: &Slug| {
        format!("No profile is called {agent}, so somebody has to take its work: inbox claim --as {agent}")
    };
    Ok(strangers.iter().map(strange).collect())
}

fn profile_stall_reasons(session: &mut Session, crew: &WorkerPool) -> Result<Vec<String>, Error> {
    let resting = session.read(|tx, now| {
        let rests = profile_cooldown::list_all(tx)?;
        Ok(rests.into_iter().filter(|rest| rest.until.is_some_and(|until| until > now)).collect::<Vec<_>>())
    })?;
    let ours = |name: &Slug| crew.seats.iter().any(|seat| seat.profile == *name);
    let said = resting.iter().filter(|rest| ours(&rest.profile)).map(|rest| {
        let why = rest.reason.as_deref().and_then(|reason| reason.lines().next()).unwrap_or("it failed");
        format!("No worker of {} is started for now: {why}", rest.profile)
    });
    Ok(said.collect())
}
