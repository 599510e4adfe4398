//! Running the checks on what an attempt reported, and what follows from them.

use std::path::Path;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckRun, CheckSource, CheckStage, CheckState, Judgement};
use orch_core::effect::EffectKind;
use orch_core::event::{About, EventKind};
use orch_core::id::{AttemptId, Commit, RunId};
use orch_core::refusal::{FailedCheck, TreeRefusal};
use orch_core::run::{DoneWhen, Run, decide as run_decide};
use orch_core::task::Checks;
use orch_core::time::Span;
use orch_core::visible;
use orch_core::worktree::Worktree;
use orch_store::table::{attempt, check_run, task as task_table, worktree};

use super::checks::{self, Subject, Verdict};
use super::hold::Taken;
use super::{commit_id, complete, decide, repository, run_row};
use crate::judge::Reported;
use crate::scope;
use crate::stage::Stage;
use orch_inbox::{Error, Session};

/// What is judged.
struct Judged {
    run: Run,
    attempt: Attempt,
    text: AttemptText,
    tree: Worktree,
}

/// Sees the checks of an attempt through, by this process or by another that is at them, and tells what came of them.
pub(crate) fn see_through(session: &mut Session, run: RunId, id: AttemptId) -> Result<(), Error> {
    complete(session, EffectKind::Verify, run, Some(id))?;
    let (attempt, ran) =
        session.read(|tx, _| Ok((attempt::load(tx, id)?, check_run::of_attempt(tx, id)?)))?;
    let bad = |check: &&CheckRun| check.stage == CheckStage::Attempt && check.state != CheckState::Passed;
    let failed: Vec<FailedCheck> = ran.iter().filter(bad).map(checks::failed).collect();
    match attempt {
        Some(attempt) if !failed.is_empty() => {
            Err(TreeRefusal::ChecksFailed { subject: attempt.name.to_string(), checks: failed }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Judges the attempt. A verdict that is bad, or that could not be reached, is recorded and then told as an error.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let Some(id) = taken.effect.attempt else { return Ok(()) };
    let judged = session.read(|tx, _| {
        let run = run_row(tx, taken.effect.run)?;
        let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
            return Ok(None);
        };
        Ok(Some(Judged { run, text: attempt::text(tx, id)?, attempt, tree }))
    })?;
    let Some(judged) = judged.filter(|judged| judged.attempt.state == AttemptState::Reported) else {
        return decide(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    let head = judged.tree.head.clone().unwrap_or_else(|| judged.tree.base.clone());
    let verdict = reach(session, &judged, &head)?;
    decide(session, |stage| {
        if taken.finish(stage.tx)? {
            record(stage, &judged, &verdict)?;
        }
        Ok(())
    })?;
    match verdict.judgement() {
        Judgement::Good => Ok(()),
        Judgement::Bad | Judgement::Unknown => Err(TreeRefusal::ChecksFailed {
            subject: judged.attempt.name.to_string(),
            checks: verdict.failed(),
        }
        .into()),
    }
}

/// Looks for changes to protected files, then runs the checks: in the attempt's own tree where that is still what was
/// reported, else in one made for it.
fn reach(session: &Session, judged: &Judged, head: &Commit) -> Result<Verdict, Error> {
    let repository = repository(session, &judged.run)?;
    let (base, at) = (commit_id(&judged.tree.base)?, commit_id(head)?);
    let touched = repository.matches_globs(&base, &at, &judged.run.rules.protect)?;
    if !touched.is_empty() {
        let names: Vec<String> = touched.iter().map(|path| visible::text(path)).collect();
        return Ok(protected(session, judged, head, &names));
    }
    let orders = checks::orders(&judged.text.run_verify, &judged.text.task_verify);
    if orders.is_empty() {
        return Ok(Verdict::default());
    }
    let subject = Subject {
        run: &judged.run,
        attempt: Some((judged.attempt.id, &judged.attempt.name)),
        slot: judged.tree.slot,
        stage: CheckStage::Attempt,
        commit: head,
    };
    let own = repository.worktree(Path::new(&judged.tree.path)).ok().filter(|tree| {
        tree.state().is_ok_and(|state| state.is_clean() && state.commit.as_ref() == Some(&at))
    });
    match own {
        Some(tree) => Ok(checks::run_all(session, &subject, tree.top(), &orders)),
        None => checks::run_in_scratch(session, &subject, &orders),
    }
}

/// What the tool itself says of an attempt that changed protected files.
fn protected(session: &Session, judged: &Judged, head: &Commit, names: &[String]) -> Verdict {
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
            visible::list(names.iter().map(String::as_str))
        )),
        duration: Span(0),
        log: None,
        at: session.clock_now(),
    };
    Verdict { checks: vec![check], tail: None }
}

fn record(stage: &mut Stage<'_, '_>, judged: &Judged, verdict: &Verdict) -> Result<(), Error> {
    check_run::clear(stage.tx, judged.attempt.id, CheckStage::Attempt)?;
    for check in &verdict.checks {
        check_run::insert(stage.tx, check)?;
    }
    let id = judged.attempt.task;
    let task = task_table::load(stage.tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
    // It may have been recalled, or judged by hand, while the checks ran.
    let current = task.attempt.is_some_and(|last| last.id == judged.attempt.id);
    if !current || task.state != orch_core::task::TaskState::Reported || task.checks == Checks::Overridden {
        return Ok(());
    }
    let mut reported = Reported::of(stage, task)?;
    let about = About {
        run: Some(judged.run.id),
        task: Some(id),
        attempt: Some(judged.attempt.id),
        thread: judged.attempt.thread,
    };
    match verdict.judgement() {
        Judgement::Unknown => unknown(stage, &judged.run, about, &verdict.reason()),
        Judgement::Good => {
            let checks = if judged.text.has_no_checks() { Checks::None } else { Checks::Passed };
            reported.note(stage, checks)?;
            stage.tell(EventKind::Checked, about, None, vec![("checks", checks.name().into())])?;
            healthy(stage, judged.run.id)?;
            match judged.run.policy.done_when {
                DoneWhen::Reported | DoneWhen::Verified => {
                    reported.accept(stage, "its checks passed").map(|_| ())
                }
                DoneWhen::Integrated => Ok(()),
            }
        }
        Judgement::Bad => {
            reported.note(stage, Checks::Failed)?;
            stage.tell(EventKind::Checked, about, None, vec![("checks", Checks::Failed.name().into())])?;
            healthy(stage, judged.run.id)?;
            reported.reject(stage, &verdict.reason(), verdict.tail.as_deref(), Vec::new()).map(|_| ())
        }
    }
}

/// Nothing is known of the attempt, through no fault of its own: no try is used up, and after several such faults in a
/// row the run is paused.
pub(crate) fn unknown(stage: &mut Stage<'_, '_>, run: &Run, about: About, reason: &str) -> Result<(), Error> {
    stage.tell(EventKind::Fault, about, None, vec![("reason", reason.into())])?;
    let before = stage.run(run.id)?.clone();
    let counted = run_decide::fault(&before, reason, stage.now);
    let halted = counted.state != before.state;
    stage.put_run(counted);
    if halted {
        let about = crate::run::about(run.id);
        stage.tell(EventKind::RunPaused, about, None, vec![("reason", "breaker".into())])?;
        crate::run::offer(stage, run.id, false)?;
    }
    Ok(())
}

/// What the tool does works again.
fn healthy(stage: &mut Stage<'_, '_>, run: RunId) -> Result<(), Error> {
    let run = stage.run(run)?.clone();
    if run.faults > 0 {
        stage.put_run(Run { faults: 0, ..run });
    }
    Ok(())
}
