//! `orch integrate`: merges what was reported and found good into the run's branch.

use orch_core::effect::EffectKind;
use orch_core::event::{Event, EventKind};
use orch_core::id::{EventId, RunId, Slug};
use orch_core::run::Run;
use orch_store::table::event;

use super::lookup;
use super::operation::Operation;
use super::perform::{complete_effect, effect_lease, perform_outstanding, require_run_git};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// What integrating a run came to.
#[derive(Clone, Debug)]
pub struct IntegrateOutcome {
    /// The run, after it.
    pub run: Run,
    /// What is on the run's branch now, in order; the events that tell it.
    pub integrated: Vec<Event>,
    /// What was refused.
    pub rejected: Vec<Event>,
    /// Where the tool itself could not do its work.
    pub faults: Vec<Event>,
}

/// Merges everything that is ready to be merged; checks that have yet to run are run first.
///
/// # Errors
/// The run has no base, or the store or git failed.
pub fn integrate_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, IntegrateOutcome>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Response<IntegrateOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let run = stage.resolve_run(run)?;
            require_run_git(&run)?;
            effect_lease::request_effect(stage.tx, EffectKind::Integrate, run.id, None, stage.now)?;
            Ok(RequestDecision::Pending(vec![run.id.0, event::newest_id(stage.tx)?.0]))
        },
        |session, subject| {
            let (run, since) = (RunId(subject[0]), EventId(subject[1]));
            complete_effect(session, EffectKind::Branch, run, None)?;
            complete_effect(session, EffectKind::Integrate, run, None)?;
            // Trees that an earlier process left behind.
            let _ = perform_outstanding(session, Some(run))?;
            load_integrate_outcome(session, run, since)
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
        let mut found =
            IntegrateOutcome { integrated: Vec::new(), rejected: Vec::new(), faults: Vec::new(), run };
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
