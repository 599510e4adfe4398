//! Running the run's checks on the commit that it began from, before anything is dispatched.

use orch_core::check::{CheckStage, ChecksVerdict};
use orch_core::event::EventKind;
use orch_core::refusal::TreeRefusal;
use orch_core::run::decide as run_decide;
use orch_store::table::{check_run, run as run_table};

use super::checks::{self, CheckSubject};
use super::effect_lease::EffectLease;
use super::verify::record_tool_fault;
use super::{load_run, require_run_git, tool_transaction};
use crate::run::{about_run, set_run_offered};
use orch_inbox::{Error, Session};

/// Runs them. Where they fail the run is paused, once, instead of every attempt being refused.
pub(crate) fn check_baseline(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| load_run(tx, taken.effect.run))?;
    if !run_decide::needs_baseline(&run) {
        return tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()));
    }
    let ground = require_run_git(&run)?;
    let subject =
        CheckSubject { run: &run, attempt: None, slot: 0, stage: CheckStage::Baseline, commit: &ground.base };
    let verdict =
        checks::run_in_scratch_worktree(session, &subject, &checks::check_specs(&run.rules.verify, &[]))?;
    let judgement = verdict.judgement();
    tool_transaction(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        check_run::clear_run(stage.tx, run.id, CheckStage::Baseline)?;
        for check in &verdict.checks {
            check_run::insert(stage.tx, check)?;
        }
        let reason = verdict.failure_summary();
        if judgement == ChecksVerdict::Unknown {
            return record_tool_fault(stage, &run, about_run(run.id), &reason);
        }
        let before = stage.load_run(run.id)?.clone();
        let passed = judgement == ChecksVerdict::Good;
        let message = format!("The run's checks fail on the commit that it began from: {reason}");
        let after = run_decide::record_baseline(&before, passed, &message, stage.now);
        let halted = after.state != before.state;
        run_table::save(stage.tx, &after)?;
        stage.replace_run(after);
        let said = if passed { "passed" } else { "failed" };
        stage.append_event(EventKind::Checked, about_run(run.id), None, vec![("baseline", said.into())])?;
        if halted {
            stage.append_event(
                EventKind::RunPaused,
                about_run(run.id),
                None,
                vec![("reason", "baseline".into())],
            )?;
            set_run_offered(stage, run.id, false)?;
        }
        Ok(())
    })?;
    match judgement {
        ChecksVerdict::Good => Ok(()),
        ChecksVerdict::Bad | ChecksVerdict::Unknown => {
            let subject = format!("the base of {}", run.name);
            Err(TreeRefusal::ChecksFailed { subject, checks: verdict.failed_checks() }.into())
        }
    }
}
