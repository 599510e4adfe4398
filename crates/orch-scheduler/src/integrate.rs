//! `orch integrate`: merges what was reported and found good into the run's branch.

use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::event::{Event, EventKind};
use orch_core::id::{AttemptName, EventId, RunId, Slug};
use orch_core::run::Run;
use orch_store::Transaction;
use orch_store::table::{attempt, effect, event};

use crate::lookup;
use crate::operation::Operation;
use crate::perform::check_settings::CheckSettings;
use crate::perform::effect_lease::request_effect;
use crate::perform::{PendingChoice, complete_effect, complete_effect_with, perform_outstanding};
use crate::resolve::{ResolvingTask, resolve_attempts};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_workspace::run_repository::require_run_git;

/// The result of integrating a run.
#[derive(Clone, Debug)]
pub struct IntegrateOutcome {
    /// The run, after it.
    pub run: Run,
    /// The events of attempts that were merged, in order.
    pub integrated: Vec<Event>,
    /// The events of attempts that were rejected.
    pub rejected: Vec<Event>,
    /// The events of faults of the tool itself.
    pub faults: Vec<Event>,
    /// The tasks that resolve the conflicts of attempts.
    pub resolving: Vec<ResolvingTask>,
    /// Worktrees that should be removed and stay for now.
    pub staying: Vec<StayingWorktree>,
}

/// A worktree whose removal failed, and is tried again or is stuck.
#[derive(Clone, Debug)]
pub struct StayingWorktree {
    /// Its attempt.
    pub attempt: AttemptName,
    /// Why it stays.
    pub reason: String,
}

/// Merges all reported attempts of a run that pass their checks; checks that were not run yet are run first.
///
/// With `resolve`, an attempt that has a conflict stays reported, and a task is added that resolves it.
pub fn integrate_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, IntegrateOutcome>>,
    who: &Slug,
    run: Option<&Slug>,
    checks: CheckSettings,
    resolve: bool,
) -> Result<Response<IntegrateOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(run)?;
            require_run_git(&run)?;
            // Checks that wait for a disk with space again, for example, are wanted now.
            effect::end_delays(unit.tx, run.id)?;
            request_effect(unit.tx, run.id, &Effect::IntegrateRun { merging: None }, unit.now)?;
            Ok(RequestDecision::Pending(vec![run.id.0, event::newest_id(unit.tx)?.0]))
        },
        |session, subject| {
            let (run, since) = (RunId(subject[0]), EventId(subject[1]));
            complete_effect(session, EffectKey::of_run(EffectKind::Branch, run))?;
            complete_effect_with(session, EffectKey::of_run(EffectKind::Integrate, run), checks)?;
            // Effects that an interrupted process has left.
            let _ = perform_outstanding(session, Some(run), PendingChoice::Due)?;
            let resolving = if resolve { resolve_attempts(session, who, run)? } else { Vec::new() };
            let mut outcome = load_integrate_outcome(session, run, since)?;
            let is_resolved = |event: &Event| {
                let name = event.attempt.as_ref().map(ToString::to_string);
                resolving.iter().any(|task| Some(&task.from) == name.as_ref())
            };
            outcome.rejected.retain(|event| !is_resolved(event));
            outcome.resolving = resolving;
            Ok(outcome)
        },
    )
}

fn load_integrate_outcome(
    session: &mut Session,
    run: RunId,
    since: EventId,
) -> Result<IntegrateOutcome, Error> {
    session.read(|tx, _| {
        let run = lookup::load_run(tx, run)?;
        let staying = list_staying_worktrees(tx, &run)?;
        let mut found = IntegrateOutcome {
            integrated: Vec::new(),
            rejected: Vec::new(),
            faults: Vec::new(),
            resolving: Vec::new(),
            staying,
            run,
        };
        let mut after = since;
        loop {
            let events = event::list_by_run(tx, found.run.id, after, 1_000)?;
            let Some(last) = events.last() else { return Ok(found) };
            after = last.id;
            for event in events {
                match event.kind {
                    EventKind::Integrated => found.integrated.push(event),
                    EventKind::Rejected => found.rejected.push(event),
                    EventKind::Fault => found.faults.push(event),
                    _ => {}
                }
            }
        }
    })
}

/// Lists the worktrees of a run that could not be removed when that was last tried.
fn list_staying_worktrees(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<StayingWorktree>, Error> {
    let mut staying = Vec::new();
    for failed in effect::list_failed(tx, run.id)? {
        let (EffectKind::Clear, Some(id), Some(failure)) =
            (failed.effect.kind(), failed.effect.attempt(), failed.retries.last)
        else {
            continue;
        };
        let attempt = attempt::load(tx, id)?.map(|attempt| attempt.name);
        staying.extend(attempt.map(|attempt| StayingWorktree { attempt, reason: failure.message }));
    }
    Ok(staying)
}
