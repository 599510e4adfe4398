//! Operations that keep failing: they are reported, and the run, or one task, waits for a person.

use orch_core::attempt::AttemptState;
use orch_core::effect::{EffectKind, PendingEffect};
use orch_core::event::{EventDatum, EventKind, EventSubject};
use orch_core::id::AttemptId;
use orch_core::operation_failure::{OperationFailure, StuckScope, stuck_scope};
use orch_core::refusal::tree::effect_phrase;
use orch_core::run::{PauseReason, decide as run_decide};
use orch_core::task::decide as task_decide;
use orch_store::Transaction;
use orch_store::table::attempt;

use crate::lookup;
use crate::perform::prepare;
use crate::tool_fault::set_run_offered;
use crate::unit_of_work::UnitOfWork;
use orch_inbox::Error;

/// Records that an operation waits for a condition that ends by itself.
pub(super) fn record_episode(
    unit: &mut UnitOfWork<'_, '_>,
    pending: &PendingEffect,
    failure: &OperationFailure,
) -> Result<(), Error> {
    append_fault(unit, pending, failure, false)
}

/// Records that an operation is not tried again by itself, and pauses the run where it needs the operation.
pub(super) fn record_stuck(
    unit: &mut UnitOfWork<'_, '_>,
    pending: &PendingEffect,
    failure: &OperationFailure,
) -> Result<(), Error> {
    append_fault(unit, pending, failure, true)?;
    match stuck_scope(pending.effect.kind()) {
        StuckScope::Run => pause_run(unit, pending, failure),
        StuckScope::Task => count_task_fault(unit, pending, failure),
        StuckScope::Nothing => Ok(()),
    }
}

fn append_fault(
    unit: &mut UnitOfWork<'_, '_>,
    pending: &PendingEffect,
    failure: &OperationFailure,
    stuck: bool,
) -> Result<(), Error> {
    let code = if failure.cause.counts() { "operation_failed" } else { failure.cause.name() };
    let mut data: Vec<(&'static str, EventDatum)> = vec![
        ("operation", pending.effect.kind().name().into()),
        ("code", code.into()),
        ("reason", failure.message.as_str().into()),
        ("stuck", stuck.into()),
        ("cause", failure.cause.name().into()),
    ];
    data.extend(failure.command.as_deref().map(|command| ("command", command.into())));
    data.extend(failure.exit_status.map(|status| ("exit_status", i64::from(status).into())));
    data.extend(failure.path.as_deref().map(|path| ("path", path.into())));
    if !failure.last_lines.is_empty() {
        data.push(("last_lines", failure.last_lines.clone().into()));
    }
    let about = event_subject(unit.tx, pending)?;
    unit.append_event(EventKind::Fault, about, None, data)
}

fn event_subject(tx: &mut Transaction<'_>, pending: &PendingEffect) -> Result<EventSubject, Error> {
    let attempt = match pending.effect.attempt() {
        Some(id) => attempt::load(tx, id)?,
        None => None,
    };
    Ok(attempt.map_or(EventSubject::of_run(pending.run), |attempt| attempt.event_subject()))
}

fn pause_run(
    unit: &mut UnitOfWork<'_, '_>,
    pending: &PendingEffect,
    failure: &OperationFailure,
) -> Result<(), Error> {
    let run = unit.load_run(pending.run)?.clone();
    let operation = effect_phrase(pending.effect.kind());
    let message = format!("{operation} {} failed repeatedly: {}", run.name, failure.message);
    let paused = run_decide::pause_automatically(&run, PauseReason::OperationFailed, &message, unit.now);
    let Some(paused) = paused else { return Ok(()) };
    unit.replace_run(paused);
    let data = vec![("reason", PauseReason::OperationFailed.name().into()), ("message", message.into())];
    unit.append_event(EventKind::RunPaused, EventSubject::of_run(run.id), None, data)?;
    set_run_offered(unit, run.id, false)
}

/// Counts a preparation that is stuck as a fault of the tool; too many of them end the task.
fn count_task_fault(
    unit: &mut UnitOfWork<'_, '_>,
    pending: &PendingEffect,
    failure: &OperationFailure,
) -> Result<(), Error> {
    let (EffectKind::Prepare, Some(id)) = (pending.effect.kind(), pending.effect.attempt()) else {
        return Ok(());
    };
    let Some(live) = load_preparing(unit.tx, id)? else { return Ok(()) };
    let task = lookup::load_task(unit.tx, live.task)?;
    let policy = unit.load_run(live.run)?.policy.clone();
    let (counted, is_spent) = task_decide::count_fault(&task, &policy);
    if is_spent {
        return prepare::give_up_preparation(unit, &live, &failure.message);
    }
    unit.save_task(&counted)
}

fn load_preparing(
    tx: &mut Transaction<'_>,
    id: AttemptId,
) -> Result<Option<orch_core::attempt::Attempt>, Error> {
    Ok(attempt::load(tx, id)?.filter(|attempt| attempt.state == AttemptState::Preparing))
}
