//! Running the checks on what an attempt reported, and judging the attempt by them.

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckRun, CheckSource, CheckStage, CheckState, ChecksVerdict};
use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::escape;
use orch_core::event::EventKind;
use orch_core::id::{AttemptId, CommitHash, RunId};
use orch_core::refusal::{FailedCheck, TreeRefusal};
use orch_core::run::{DoneWhen, ReviewPolicy, Run};
use orch_core::task::{ChecksStatus, TaskState};
use orch_core::time::TimeSpan;
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{attempt, check_run, effect, task, worktree};

use crate::judge::ReportedAttempt;
use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::EffectLease;
use crate::review::waits_for_review;
use crate::tool_fault::clear_tool_faults;
use crate::unit_of_work::UnitOfWork;
use orch_git::CommitId;
use orch_inbox::{Error, Session};
use orch_workspace::check_cache::{CheckReuse, run_known_checks};
use orch_workspace::checks;
use orch_workspace::checks::{CheckReport, CheckSubject};
use orch_workspace::run_repository::{branch_tip, open_repository, require_run_git, to_commit_id};

/// A reported attempt with the facts that it is judged by.
#[derive(Clone, Debug)]
pub(crate) struct VerifyingAttempt {
    pub run: Run,
    pub attempt: Attempt,
    pub text: AttemptText,
    pub tree: Worktree,
}

impl VerifyingAttempt {
    /// `None` where the attempt is not reported, or has no worktree.
    fn load(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Self>, Error> {
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        if attempt.state != AttemptState::Reported {
            return Ok(None);
        }
        let run = lookup::load_run(tx, attempt.run)?;
        Ok(Some(Self { run, text: attempt::load_text(tx, id)?, attempt, tree }))
    }

    fn head(&self) -> &CommitHash {
        self.tree.head.as_ref().unwrap_or(&self.tree.base)
    }
}

/// Completes the verification of an attempt, in this process or in another that is performing it.
///
/// # Errors
/// A check did not pass; its result is recorded.
pub(crate) fn complete_verification(
    session: &mut Session,
    run: RunId,
    id: AttemptId,
    reuse: CheckReuse,
) -> Result<(), Error> {
    let key = EffectKey::of_attempt(EffectKind::Verify, run, id);
    if let Some(lease) = EffectLease::wait_and_acquire(session, key)? {
        return lease.with_reuse(reuse).perform(session, |session, lease| verify_attempt(session, lease, id));
    }
    let (run, attempt, ran) = session.read(|tx, _| {
        Ok((lookup::load_run(tx, run)?, attempt::load(tx, id)?, check_run::list_by_attempt(tx, id)?))
    })?;
    let has_failed =
        |check: &&CheckRun| check.stage == CheckStage::Attempt && check.state != CheckState::Passed;
    let failed: Vec<FailedCheck> =
        ran.iter().filter(has_failed).map(|check| checks::failed_check(&run, check)).collect();
    match attempt {
        Some(attempt) if !failed.is_empty() => {
            Err(TreeRefusal::ChecksFailed { subject: attempt.name.to_string(), checks: failed }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Runs the checks of an attempt and judges it.
///
/// # Errors
/// A check did not pass; its result is recorded.
pub(crate) fn verify_attempt(session: &mut Session, lease: &EffectLease, id: AttemptId) -> Result<(), Error> {
    debug_assert_eq!(lease.effect.attempt(), Some(id));
    match session.read(|tx, _| VerifyingAttempt::load(tx, id))? {
        Some(verifying) => verify_loaded(session, lease, &verifying),
        None => lease.complete_alone(session),
    }
}

/// Verifies an attempt whose facts are known.
///
/// # Errors
/// A check did not pass; its result is recorded.
pub(crate) fn verify_loaded(
    session: &mut Session,
    lease: &EffectLease,
    verifying: &VerifyingAttempt,
) -> Result<(), Error> {
    let (report, touches_protected) = run_attempt_checks(session, verifying, lease.checks.reuse)?;
    let id = verifying.attempt.id;
    open_repository(session, &verifying.run)?.flush()?;
    tool_transaction(session, |unit| {
        if lease.complete(unit.tx)? {
            record_check_report(unit, verifying, &report, touches_protected)?;
            if report.verdict() == ChecksVerdict::Unknown {
                keep_request(unit, lease, id)?;
            }
        }
        Ok(())
    })?;
    match report.verdict() {
        ChecksVerdict::Good => Ok(()),
        ChecksVerdict::Bad | ChecksVerdict::Unknown => {
            let subject = verifying.attempt.name.to_string();
            Err(TreeRefusal::ChecksFailed { subject, checks: report.failed_checks(&verifying.run) }.into())
        }
    }
}

/// Keeps a request for new results that found none, so that the earlier ones do not decide after all.
fn keep_request(unit: &mut UnitOfWork<'_, '_>, lease: &EffectLease, id: AttemptId) -> Result<(), Error> {
    let is_again = matches!(lease.effect, Effect::VerifyAttempt { since: Some(_), .. });
    let state = attempt::load(unit.tx, id)?.map(|attempt| attempt.state);
    if is_again && state == Some(AttemptState::Reported) {
        effect::insert(unit.tx, lease.run, &lease.effect, unit.now)?;
    }
    Ok(())
}

/// Looks for changes to protected files, then runs the checks; returns whether a person must review such changes.
fn run_attempt_checks(
    session: &mut Session,
    verifying: &VerifyingAttempt,
    reuse: CheckReuse,
) -> Result<(CheckReport, bool), Error> {
    let VerifyingAttempt { run, attempt, text, tree } = verifying;
    let repository = open_repository(session, run)?;
    let (base, head) = (to_commit_id(&tree.base)?, to_commit_id(verifying.head())?);
    let touched = if run.rules.protect.is_empty() {
        Vec::new()
    } else {
        // What the attempt took over from the run's branch is not its own change.
        let tip = branch_tip(&repository, &require_run_git(run)?.branch)?;
        let mut own = repository.own_changes_matching(&base, &head, &tip, &run.rules.protect)?;
        if let (false, Some(merged)) = (own.is_empty(), merged_commit(session, attempt)?) {
            let besides = repository.own_changes_matching(&base, &head, &merged, &run.rules.protect)?;
            own.retain(|path| besides.contains(path));
        }
        own
    };
    let is_reviewed = !touched.is_empty() && effective_review(session, run, attempt)? != ReviewPolicy::None;
    if !touched.is_empty() && !is_reviewed {
        let names: Vec<String> = touched.iter().map(|path| escape::path_text(path)).collect();
        return Ok((protected_files_report(session, verifying, &names), false));
    }
    let specs = checks::check_specs(&text.run_verify, &text.task_verify);
    let subject = CheckSubject {
        run,
        attempt: Some((attempt.id, &attempt.name)),
        slot: tree.slot,
        stage: CheckStage::Attempt,
        commit: verifying.head(),
        stop: None,
    };
    Ok((run_known_checks(session, &subject, &specs, reuse)?, is_reviewed))
}

/// Which attempts at its task wait for a review.
fn effective_review(session: &mut Session, run: &Run, attempt: &Attempt) -> Result<ReviewPolicy, Error> {
    let own = session.query(|tx| Ok(task::load_text(tx, attempt.task)?))?.review;
    Ok(own.unwrap_or(run.rules.review))
}

/// The commit that the attempt was asked to merge, if its task resolves a conflict.
fn merged_commit(session: &mut Session, attempt: &Attempt) -> Result<Option<CommitId>, Error> {
    let text = session.query(|tx| Ok(task::load_text(tx, attempt.task)?))?;
    text.conflict.map(|conflict| to_commit_id(&conflict.commit)).transpose()
}

/// The failed check by which the tool rejects an attempt that changed protected files.
fn protected_files_report(session: &Session, verifying: &VerifyingAttempt, names: &[String]) -> CheckReport {
    let names = escape::join_names(names.iter().map(String::as_str));
    let check = CheckRun {
        run: verifying.run.id,
        attempt: Some(verifying.attempt.id),
        stage: CheckStage::Attempt,
        source: CheckSource::Tool,
        command: String::new(),
        commit: verifying.head().clone(),
        tree: None,
        env_not_passed: Vec::new(),
        reused: false,
        flaky: false,
        state: CheckState::Failed,
        exit_status: None,
        message: Some(format!("Protected files were changed: {names}")),
        duration: TimeSpan(0),
        log: None,
        at: session.clock_now(),
    };
    CheckReport { checks: vec![check], ..CheckReport::default() }
}

fn record_check_report(
    unit: &mut UnitOfWork<'_, '_>,
    verifying: &VerifyingAttempt,
    report: &CheckReport,
    touches_protected: bool,
) -> Result<(), Error> {
    let VerifyingAttempt { run, attempt, text, .. } = verifying;
    check_run::clear_attempt(unit.tx, attempt.id, CheckStage::Attempt)?;
    report.save(unit.tx)?;
    let task = lookup::load_task(unit.tx, attempt.task)?;
    // The attempt may have been recalled, or judged by the lead, while the checks ran.
    let is_current = task.attempt.is_some_and(|last| last.id == attempt.id);
    if !is_current || task.state != TaskState::Reported || task.checks == ChecksStatus::Overridden {
        return Ok(());
    }
    let about = attempt.event_subject();
    let status = match report.verdict() {
        ChecksVerdict::Unknown => {
            return ReportedAttempt::load(unit, task)?.record_fault(unit, &report.failure_summary(run));
        }
        ChecksVerdict::Good if text.has_no_checks() && run.rules.protect.is_empty() => ChecksStatus::None,
        ChecksVerdict::Good => ChecksStatus::Passed,
        ChecksVerdict::Bad => ChecksStatus::Failed,
    };
    let mut reported = ReportedAttempt::load(unit, task)?;
    reported.record_checks(unit, status)?;
    unit.append_event(EventKind::Checked, about, None, vec![("checks", status.name().into())])?;
    clear_tool_faults(unit, run.id)?;
    if status == ChecksStatus::Failed {
        let reason = format!("{}{}", report.unchanged_sentence(), report.failure_summary(run));
        let data = match report.unchanged_since {
            Some(_) => vec![("unchanged", true.into())],
            None => Vec::new(),
        };
        reported.reject(unit, &reason, report.tail.as_deref(), data)?;
    } else if !waits_for_review(unit, attempt, touches_protected)?
        && run.policy.done_when != DoneWhen::Integrated
    {
        reported.accept(unit, "its checks passed")?;
    }
    Ok(())
}
