//! `orch init --as-copy`: makes a copied store one of its own.

use orch_core::attempt::state::AttemptEvent;
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::task::decide;
use orch_store::table::{attempt, store_identity};

use crate::task_end::end_attempt;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use orch_inbox::{Error, Session};

/// Why the live attempts of a copy end.
const REASON: &str = "the store is a copy, and the attempt belongs to the original";

/// Gives a copied store an identity of its own.
///
/// It first forgets all processes, effects and worktrees, which are the original's, and recalls the live attempts.
/// No process is signalled, and nothing outside the store is touched.
///
/// # Errors
/// The store failed.
pub fn adopt_copy(session: &mut Session, who: &Slug) -> Result<(), Error> {
    session.record_copy(|tx, now| {
        store_identity::forget_surroundings(tx, now)?;
        let mut unit = UnitOfWork::begin(tx, now);
        unit.who = Some(who.clone());
        recall_all(&mut unit)?;
        // The threads' workers are not ours to stop.
        unit.save_and_close()?;
        // Recalling asks for the removal of worktrees, which are the original's.
        Ok(store_identity::forget_surroundings(tx, now)?)
    })
}

fn recall_all(unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
    for live in attempt::list_live_of_all_runs(unit.tx, u32::MAX)? {
        let before = unit.load_task(live.task)?;
        let status = unit.load_run(before.run)?.state.status();
        let after = decide::recall_attempt(&before, status, unit.now)?;
        let ended = end_attempt(unit, &before, AttemptEvent::Recall, REASON)?;
        let event = TransitionEvent {
            thread: ended.and_then(|attempt| attempt.thread),
            data: vec![("reason", REASON.into())],
            ..TransitionEvent::without_data(EventKind::Recalled, REASON)
        };
        unit.apply_transition(&before, &after, event)?;
    }
    Ok(())
}
