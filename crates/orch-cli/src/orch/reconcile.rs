//! `orch reconcile`.

use std::cell::RefCell;

use orch_contract::orch::reconcile::{Change, Finished, Orphan, ReconcileAnswer};
use orch_inbox::Answer;
use orch_scheduler::orphans as engine_orphans;
use orch_scheduler::reconcile::{self as engine, Reconciled};

use super::naming::NamedRun;
use crate::arguments::Repeatable;
use crate::context::Context;
use crate::failure::{Failure, of_error};
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Let what workers reported move their tasks, and finish what processes that ended have begun
///
/// Every other command lets reports move their tasks first; this also ends what killed wrappers have left of their
/// workers, whose work is then lost, makes worktrees, runs checks, merges and tidies up where a process that ended was
/// at it, and names what lies in our places and the store does not know.
/// Doing it twice is doing it once.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch reconcile --dry-run")]
pub struct Args {
    /// Say what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let run = run.settle(context)?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .maybe("run", run.as_ref())
        .with("dry-run", args.dry_run);
    let faults = RefCell::new(Vec::new());
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        let done = engine::reconcile(session, receipt, run.as_ref(), args.dry_run)?;
        if let Answer::Fresh(outcome) = &done {
            faults.borrow_mut().extend(outcome.faults.iter().map(|fault| of_error(fault).message));
        }
        Ok(done)
    })?;
    for fault in faults.take() {
        context.warn(fault);
    }
    for one in &reply.data.finished {
        if let Some(problem) = &one.problem {
            let of = one.attempt.as_deref().unwrap_or(&one.run);
            context.warn(format!("{} of {of}: {problem}", one.kind));
        }
    }
    Ok(reply.into())
}

fn answer(outcome: &Reconciled) -> ReconcileAnswer {
    ReconcileAnswer {
        changes: outcome.changes.iter().map(change).collect(),
        finished: outcome.finished.iter().map(finished).collect(),
        swept: outcome.swept.iter().map(|path| path.display().to_string()).collect(),
        orphans: outcome.orphans.iter().map(orphan).collect(),
    }
}

fn finished(one: &engine::Finished) -> Finished {
    Finished {
        kind: one.kind.into(),
        run: one.run.to_string(),
        attempt: one.attempt.as_ref().map(ToString::to_string),
        done: !one.stays,
        problem: one.problem.as_ref().map(|problem| of_error(problem).message),
    }
}

fn orphan(one: &engine_orphans::Orphan) -> Orphan {
    Orphan { kind: one.kind.name().to_owned(), name: one.name.clone(), next: one.next.clone() }
}

fn change(step: &engine::Change) -> Change {
    Change {
        task: step.task.to_string(),
        attempt: step.attempt.as_ref().map(ToString::to_string),
        from: step.from.to_owned(),
        to: step.to.to_owned(),
        reason: step.reason.clone(),
    }
}
