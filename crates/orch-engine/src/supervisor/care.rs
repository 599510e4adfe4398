//! Looking after what died without a word, and after what is spent.

use orch_core::event::EventKind;
use orch_core::id::RunId;
use orch_core::run::{PauseReason, Run, RunStatus, decide};
use orch_core::time::Time;
use orch_store::table::worker;

use super::{Heard, Said};
use crate::orch::perform::decide as tool_decides;
use crate::orch::{reconcile, run as run_operation};
use crate::wrapper::stop::{self, Wrapper};
use crate::{Error, Session};

/// Ends what killed wrappers left behind, and frees their work at once.
pub(crate) fn bury(session: &mut Session, run: Option<RunId>) -> Result<(), Error> {
    for row in session.read(|tx, _| Ok(worker::live(tx, run)?))? {
        if stop::wrapper(&row) == Wrapper::Dead {
            stop::sweep(session, &row)?;
            let thread = row.thread;
            tool_decides(session, |stage| {
                reconcile::lose_thread(
                    stage,
                    thread,
                    "its wrapper was killed, and what was left of it was ended",
                )
            })?;
        }
    }
    Ok(())
}

/// Pauses a run that has spent what it may, and says when it comes near.
pub(crate) fn budget(
    session: &mut Session,
    run: &Run,
    listen: &mut dyn FnMut(Said<'_>) -> Heard,
) -> Result<(), Error> {
    if run.state.status() != RunStatus::Open {
        return Ok(());
    }
    let now = session.clock_now();
    let Some(reason) = exceeded(run, now) else { return Ok(()) };
    listen(Said::Note(&reason));
    let id = run.id;
    tool_decides(session, |stage| {
        let current = stage.run(id)?.clone();
        if let Some(halted) = decide::halt(&current, PauseReason::Budget, &reason, stage.now) {
            stage.put_run(halted);
            let about = run_operation::about(id);
            stage.tell(EventKind::RunPaused, about, None, vec![("reason", "budget".into())])?;
            run_operation::offer(stage, id, false)?;
        }
        Ok(())
    })
}

/// Which limit is reached, in words.
fn exceeded(run: &Run, now: Time) -> Option<String> {
    let (budget, spent) = (run.budget, run.spent);
    if budget.max_wall.is_some_and(|max| (now - run.created_at).0 >= max.0) {
        return Some("The run has taken as much time as it may.".to_owned());
    }
    if budget.max_cost_micros.is_some_and(|max| spent.cost_micros >= max) {
        return Some("The run has cost as much as it may.".to_owned());
    }
    if budget.max_tokens.is_some_and(|max| spent.tokens >= max) {
        return Some("The run has used as many tokens as it may.".to_owned());
    }
    None
}
