//! Running the checks on what an attempt reported, and what follows from them.

use std::path::Path;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckRun, CheckSource, CheckStage, CheckState, ChecksVerdict};
use orch_core::effect::EffectKind;
use orch_core::escape;
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{AttemptId, CommitHash, RunId};
use orch_core::refusal::{FailedCheck, TreeRefusal};
use orch_core::run::{DoneWhen, Run, decide as run_decide};
use orch_core::task::ChecksStatus;
use orch_core::time::TimeSpan;
use orch_core::worktree::Worktree;
use orch_store::table::{attempt, check_run, task as task_table, worktree};

use super::checks::{self, CheckReport, CheckSubject};
use super::effect_lease::EffectLease;
use super::{complete_effect, load_run, open_repository, to_commit_id, tool_transaction};
use crate::judge::ReportedAttempt;
use crate::lookup;
use crate::unit_of_work::UnitOfWork;
use orch_inbox::{Error, Session};

/// What is judged.
struct VerificationTarget {
    run: Run,
    attempt: Attempt,
    text: AttemptText,
    tree: Worktree,
}

/// Sees the checks of an attempt through, by this process or by another that is at them, and tells what came of them.
pub(crate) fn complete_verification(session: &mut Session, run: RunId, id: AttemptId) -> Result<(), Error> {
    complete_effect(session, EffectKind::Verify, run, Some(id))?;
    let (attempt, ran) =
        session.read(|tx, _| Ok((attempt::load(tx, id)?, check_run::list_by_attempt(tx, id)?)))?;
    let bad = |check: &&CheckRun| check.stage == CheckStage::Attempt && check.state != CheckState::Passed;
    let failed: Vec<FailedCheck> = ran.iter().filter(bad).map(checks::failed_check).collect();
    match attempt {
        Some(attempt) if !failed.is_empty() => {
            Err(TreeRefusal::ChecksFailed { subject: attempt.name.to_string(), checks: failed }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Judges the attempt. A verdict that is bad, or that could not be reached, is recorded and then told as an error.
pub(crate) fn verify_attempt(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let Some(id) = taken.effect.attempt else { return Ok(()) };
    let judged = session.read(|tx, _| {
        let run = load_run(tx, taken.effect.run)?;
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        Ok(Some(VerificationTarget { run, text: attempt::load_text(tx, id)?, attempt, tree }))
    })?;
    let Some(judged) = judged.filter(|judged| judged.attempt.state == AttemptState::Reported) else {
        return tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    let head = judged.tree.head.clone().unwrap_or_else(|| judged.tree.base.clone());
    let verdict = run_verification(session, &judged, &head)?;
    tool_transaction(session, |stage| {
        if taken.finish(stage.tx)? {
            record_check_report(stage, &judged, &verdict)?;
        }
        Ok(())
    })?;
    match verdict.judgement() {
        ChecksVerdict::Good => Ok(()),
        ChecksVerdict::Bad | ChecksVerdict::Unknown => Err(TreeRefusal::ChecksFailed {
            subject: judged.attempt.name.to_string(),
            checks: verdict.failed_checks(),
        }
        .into()),
    }
}

/// Looks for changes to protected files, then runs the checks: in the attempt's own tree where that is still what was
/// reported, else in one made for it.
fn run_verification(
    session: &Session,
    judged: &VerificationTarget,
    head: &CommitHash,
) -> Result<CheckReport, Error> {
    let repository = open_repository(session, &judged.run)?;
    let (base, at) = (to_commit_id(&judged.tree.base)?, to_commit_id(head)?);
    let touched = repository.changed_paths_matching(&base, &at, &judged.run.rules.protect)?;
    if !touched.is_empty() {
        let names: Vec<String> = touched.iter().map(|path| escape::path_text(path)).collect();
        return Ok(report_protected_files(session, judged, head, &names));
    }
    let orders = checks::check_specs(&judged.text.run_verify, &judged.text.task_verify);
    if orders.is_empty() {
        return Ok(CheckReport::default());
    }
    let subject = CheckSubject {
        run: &judged.run,
        attempt: Some((judged.attempt.id, &judged.attempt.name)),
        slot: judged.tree.slot,
        stage: CheckStage::Attempt,
        commit: head,
    };
    let own = repository.open_worktree(Path::new(&judged.tree.path)).ok().filter(|tree| {
        tree.read_status().is_ok_and(|state| state.is_clean() && state.commit.as_ref() == Some(&at))
    });
    match own {
        Some(tree) => Ok(checks::run_checks(session, &subject, tree.top_level(), &orders)),
        None => checks::run_in_scratch_worktree(session, &subject, &orders),
    }
}

/// What the tool itself says of an attempt that changed protected files.
fn report_protected_files(
    session: &Session,
    judged: &VerificationTarget,
    head: &CommitHash,
    names: &[String],
) -> CheckReport {
    let check = CheckRun {
        run: judged.run.id,
        attempt: Some(judged.attempt.id),
        stage: CheckStage::Attempt,
        source: CheckSource::Tool,
        command: String::new(),
        commit: head.clone(),
        state: CheckState::Failed,
        exit_status: None,
        message: Some(format!(
            "Protected files were changed: {}",
            escape::join_names(names.iter().map(String::as_str))
        )),
        duration: TimeSpan(0),
        log: None,
        at: session.clock_now(),
    };
    CheckReport { checks: vec![check], tail: None }
}

fn record_check_report(
    stage: &mut UnitOfWork<'_, '_>,
    judged: &VerificationTarget,
    verdict: &CheckReport,
) -> Result<(), Error> {
    check_run::clear_attempt(stage.tx, judged.attempt.id, CheckStage::Attempt)?;
    for check in &verdict.checks {
        check_run::insert(stage.tx, check)?;
    }
    let id = judged.attempt.task;
    let task = task_table::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
    // It may have been recalled, or judged by hand, while the checks ran.
    let current = task.attempt.is_some_and(|last| last.id == judged.attempt.id);
    if !current
        || task.state != orch_core::task::TaskState::Reported
        || task.checks == ChecksStatus::Overridden
    {
        return Ok(());
    }
    let mut reported = ReportedAttempt::load(stage, task)?;
    let about = EventSubject {
        run: Some(judged.run.id),
        task: Some(id),
        attempt: Some(judged.attempt.id),
        thread: judged.attempt.thread,
    };
    match verdict.judgement() {
        ChecksVerdict::Unknown => record_tool_fault(stage, &judged.run, about, &verdict.failure_summary()),
        ChecksVerdict::Good => {
            let checks = if judged.text.has_no_checks() { ChecksStatus::None } else { ChecksStatus::Passed };
            reported.record_checks(stage, checks)?;
            stage.append_event(EventKind::Checked, about, None, vec![("checks", checks.name().into())])?;
            clear_tool_faults(stage, judged.run.id)?;
            match judged.run.policy.done_when {
                DoneWhen::Reported | DoneWhen::Verified => {
                    reported.accept(stage, "its checks passed").map(|_| ())
                }
                DoneWhen::Integrated => Ok(()),
            }
        }
        ChecksVerdict::Bad => {
            reported.record_checks(stage, ChecksStatus::Failed)?;
            stage.append_event(
                EventKind::Checked,
                about,
                None,
                vec![("checks", ChecksStatus::Failed.name().into())],
            )?;
            clear_tool_faults(stage, judged.run.id)?;
            reported
                .reject(stage, &verdict.failure_summary(), verdict.tail.as_deref(), Vec::new())
                .map(|_| ())
        }
    }
}

/// Nothing is known of the attempt, through no fault of its own: no try is used up, and after several such faults in a
/// row the run is paused.
pub(crate) fn record_tool_fault(
    stage: &mut UnitOfWork<'_, '_>,
    run: &Run,
    about: EventSubject,
    reason: &str,
) -> Result<(), Error> {
    stage.append_event(EventKind::Fault, about, None, vec![("reason", reason.into())])?;
    let before = stage.load_run(run.id)?.clone();
    let counted = run_decide::record_fault(&before, reason, stage.now);
    let halted = counted.state != before.state;
    stage.replace_run(counted);
    if halted {
        let about = crate::run::about_run(run.id);
        stage.append_event(EventKind::RunPaused, about, None, vec![("reason", "breaker".into())])?;
        crate::run::set_run_offered(stage, run.id, false)?;
    }
    Ok(())
}

/// What the tool does works again.
fn clear_tool_faults(stage: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<(), Error> {
    let run = stage.load_run(run)?.clone();
    if run.faults > 0 {
        stage.replace_run(Run { faults: 0, ..run });
    }
    Ok(())
}
