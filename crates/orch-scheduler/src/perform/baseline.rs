//! Running the run's checks on the commit that it began from, before anything is dispatched.

use orch_core::check::{CheckStage, Judgement};
use orch_core::event::EventKind;
use orch_core::refusal::TreeRefusal;
use orch_core::run::decide as run_decide;
use orch_store::table::{check_run, run as run_table};

use super::checks::{self, Subject};
use super::hold::Taken;
use super::verify::unknown;
use super::{decide, ground, run_row};
use crate::run::{about, offer};
use orch_inbox::{Error, Session};

/// Runs them. Where they fail the run is paused, once, instead of every attempt being refused.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let run = session.read(|tx, _| run_row(tx, taken.effect.run))?;
    if !run_decide::needs_baseline(&run) {
        return decide(session, |stage| taken.finish(stage.tx).map(|_| ()));
    }
    let ground = ground(&run)?;
    let subject =
        Subject { run: &run, attempt: None, slot: 0, stage: CheckStage::Baseline, commit: &ground.base };
    let verdict = checks::run_in_scratch(session, &subject, &checks::orders(&run.rules.verify, &[]))?;
    let judgement = verdict.judgement();
    decide(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        check_run::clear_run(stage.tx, run.id, CheckStage::Baseline)?;
        for check in &verdict.checks {
            check_run::insert(stage.tx, check)?;
        }
        let reason = verdict.reason();
        if judgement == Judgement::Unknown {
            return unknown(stage, &run, about(run.id), &reason);
        }
        let before = stage.run(run.id)?.clone();
        let passed = judgement == Judgement::Good;
        let message = format!("The run's checks fail on the commit that it began from: {reason}");
        let after = run_decide::baseline(&before, passed, &message, stage.now);
        let halted = after.state != before.state;
        run_table::save(stage.tx, &after)?;
        stage.put_run(after);
        let said = if passed { "passed" } else { "failed" };
        stage.tell(EventKind::Checked, about(run.id), None, vec![("baseline", said.into())])?;
        if halted {
            stage.tell(EventKind::RunPaused, about(run.id), None, vec![("reason", "baseline".into())])?;
            offer(stage, run.id, false)?;
        }
        Ok(())
    })?;
    match judgement {
        Judgement::Good => Ok(()),
        Judgement::Bad | Judgement::Unknown => {
            let subject = format!("the base of {}", run.name);
            Err(TreeRefusal::ChecksFailed { subject, checks: verdict.failed() }.into())
        }
    }
}
