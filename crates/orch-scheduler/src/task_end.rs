//! Ending a task's live attempt before its worker does.

use orch_core::attempt::state::AttemptEvent;
use orch_core::attempt::{Attempt, AttemptState};
use orch_core::effect::{ClearingMode, Effect, EffectKey, EffectKind};
use orch_core::event::EventKind;
use orch_core::id::TaskId;
use orch_core::refusal::TreeRefusal;
use orch_core::task::state::TaskState;
use orch_core::task::{Task, decide};
use orch_store::table::{attempt, effect, thread};

use crate::lookup;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use orch_inbox::{Error, cancel};

/// Cancels a task with its live attempt.
pub(crate) fn cancel_task(unit: &mut UnitOfWork<'_, '_>, id: TaskId, reason: &str) -> Result<Task, Error> {
    let before = unit.load_task(id)?;
    let Some(after) = decide::cancel_task(&before, unit.now)? else { return Ok(before) };
    let ended = end_attempt(unit, &before, AttemptEvent::Cancel, reason)?;
    let event = TransitionEvent {
        thread: ended.and_then(|attempt| attempt.thread),
        ..TransitionEvent::without_data(EventKind::Cancelled, reason)
    };
    unit.apply_transition(&before, &after, event)?;
    Ok(after)
}

/// Refuses to take back an attempt whose merge was recorded as begun: the run's branch may have its commit already.
///
/// # Errors
/// `HeldElsewhere`, until the merge is recorded or undone; `orch reconcile` does that for a process that was killed.
pub(crate) fn refuse_while_merging(unit: &mut UnitOfWork<'_, '_>, task: &Task) -> Result<(), Error> {
    let Some(last) = task.attempt.filter(|_| task.state == TaskState::Reported) else { return Ok(()) };
    let pending = effect::find_pending(unit.tx, EffectKey::of_run(EffectKind::Integrate, task.run))?;
    match pending.map(|pending| pending.effect) {
        Some(Effect::IntegrateRun { merging: Some(merge) }) if merge.attempt == last.id => {
            let run = unit.load_run(task.run)?.name.clone();
            Err(TreeRefusal::HeldElsewhere { effect: EffectKind::Integrate, run }.into())
        }
        _ => Ok(()),
    }
}

/// Ends a task's live attempt on behalf of the lead, and cancels its thread.
pub(crate) fn end_attempt(
    unit: &mut UnitOfWork<'_, '_>,
    task: &Task,
    attempt_event: AttemptEvent,
    reason: &str,
) -> Result<Option<Attempt>, Error> {
    let Some(last) = task.attempt.filter(|_| task.state.is_live()) else { return Ok(None) };
    let live = lookup::load_attempt(unit.tx, last.id)?;
    let mut ended = decide::apply_attempt_event(&live, attempt_event, unit.now);
    ended.reason = Some(reason.to_owned());
    attempt::save(unit.tx, &ended)?;
    if live.state == AttemptState::Reported {
        effect::withdraw_effect(unit.tx, EffectKey::of_attempt(EffectKind::Verify, live.run, live.id))?;
    }
    let Some(id) = live.thread else {
        // The work was not sent yet; the worktree is removed as far as it exists.
        effect::withdraw_effect(unit.tx, EffectKey::of_attempt(EffectKind::Prepare, live.run, live.id))?;
        let clear = Effect::ClearWorktree { attempt: live.id, mode: ClearingMode::Remove };
        effect::insert(unit.tx, live.run, &clear, unit.now)?;
        return Ok(Some(ended));
    };
    let owned = thread::load(unit.tx, id)?.ok_or_else(|| lookup::missing_row("thread", id.0))?;
    if !owned.state.status().is_closed() {
        unit.cancelled_threads.push(id);
        let by = unit.who.clone().unwrap_or_else(|| owned.head.from.clone());
        let text = format!("This attempt was ended: {reason}.");
        cancel::end_thread(unit.tx, &owned, &by, Some(&text), unit.now)?;
    }
    Ok(Some(ended))
}
