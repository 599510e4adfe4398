//! Running the run's checks on its base commit, before anything is dispatched.

use orch_core::check::{CheckStage, ChecksVerdict};
use orch_core::event::{EventKind, EventSubject};
use orch_core::refusal::TreeRefusal;
use orch_core::run::decide;
use orch_store::table::check_run;

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::EffectLease;
use crate::tool_fault::{record_tool_fault, set_run_offered};
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::run_known_checks;
use orch_workspace::checks;
use orch_workspace::checks::CheckSubject;
use orch_workspace::run_repository::require_run_git;

/// Runs the checks; where they fail the run is paused, once, instead of rejecting every attempt.
pub(crate) fn check_baseline(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    if !decide::needs_baseline(&run) {
        return lease.complete_alone(session);
    }
    let base = &require_run_git(&run)?.base;
    let subject = CheckSubject {
        run: &run,
        attempt: None,
        slot: 0,
        stage: CheckStage::Baseline,
        commit: base,
        stop: None,
    };
    let specs = checks::check_specs(&run.rules.verify, &[]);
    let report = run_known_checks(session, &subject, &specs, lease.checks.reuse)?;
    let verdict = report.verdict();
    tool_transaction(session, |unit| {
        if !lease.complete(unit.tx)? {
            return Ok(());
        }
        check_run::clear_run(unit.tx, run.id, CheckStage::Baseline)?;
        report.save(unit.tx)?;
        let (about, reason) = (EventSubject::of_run(run.id), report.failure_summary(&run));
        if verdict == ChecksVerdict::Unknown {
            return record_tool_fault(unit, run.id, about, &reason);
        }
        let before = unit.load_run(run.id)?.clone();
        let passed = verdict == ChecksVerdict::Good;
        let message = format!("The run's checks fail on the commit that it began from: {reason}");
        let after = decide::record_baseline(&before, passed, &message, unit.now);
        let is_paused = after.state != before.state;
        unit.replace_run(after);
        let word = if passed { "passed" } else { "failed" };
        unit.append_event(EventKind::Checked, about, None, vec![("baseline", word.into())])?;
        if is_paused {
            unit.append_event(EventKind::RunPaused, about, None, vec![("reason", "baseline".into())])?;
            set_run_offered(unit, run.id, false)?;
        }
        Ok(())
    })?;
    if verdict == ChecksVerdict::Good {
        return Ok(());
    }
    let subject = format!("the base of {}", run.name);
    Err(TreeRefusal::ChecksFailed { subject, checks: report.failed_checks(&run) }.into())
}
