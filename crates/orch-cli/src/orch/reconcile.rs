//! `orch reconcile`.

use std::cell::RefCell;

use orch_contract::orch::reconcile::{FinishedEffect, OrphanView, ReconcileResponse, ReconcileStep};
use orch_inbox::Response;
use orch_scheduler::orphans as engine_orphans;
use orch_scheduler::reconcile::{self as engine, ReconcileOutcome};

use super::naming::NamedRun;
use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::error::error_view;
use orch_app::fingerprint::RequestFingerprint;

/// Apply what workers reported, and finish what dead processes began
///
/// Every other command lets reports move their tasks first; this also ends what killed wrappers have left of their
/// workers, whose work is then lost, makes worktrees, runs checks, merges and tidies up where a process that ended was
/// at it, and names what lies in our places and the store does not know.
/// It is idempotent.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch reconcile --dry-run")]
pub struct ReconcileArgs {
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &ReconcileArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let run = run.resolve_run(context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_optional("run", run.as_ref())
        .with_argument("dry-run", args.dry_run);
    let faults = RefCell::new(Vec::new());
    let reply =
        context.run_change(&args.repeatable, fingerprint, reconcile_response, |session, receipt| {
            let done = engine::reconcile_runs(session, receipt, run.as_ref(), args.dry_run)?;
            if let Response::Fresh(outcome) = &done {
                faults.borrow_mut().extend(outcome.faults.iter().map(|fault| error_view(fault).message));
            }
            Ok(done)
        })?;
    for fault in faults.take() {
        context.add_warning(fault);
    }
    for one in &reply.data.finished {
        if let Some(problem) = &one.problem {
            let of = one.attempt.as_deref().unwrap_or(&one.run);
            context.add_warning(format!("{} of {of}: {problem}", one.kind));
        }
    }
    Ok(reply.into())
}

fn reconcile_response(outcome: &ReconcileOutcome) -> ReconcileResponse {
    ReconcileResponse {
        changes: outcome.changes.iter().map(change_view).collect(),
        finished: outcome.finished.iter().map(finished_run).collect(),
        swept: outcome.swept.iter().map(|path| path.display().to_string()).collect(),
        orphans: outcome.orphans.iter().map(orphan_view).collect(),
    }
}

fn finished_run(one: &engine::CompletedEffect) -> FinishedEffect {
    FinishedEffect {
        kind: one.kind.into(),
        run: one.run.to_string(),
        attempt: one.attempt.as_ref().map(ToString::to_string),
        done: !one.stays,
        problem: one.problem.as_ref().map(|problem| error_view(problem).message),
    }
}

fn orphan_view(one: &engine_orphans::Orphan) -> OrphanView {
    OrphanView { kind: one.kind.name().to_owned(), name: one.name.clone(), next: one.next.clone() }
}

fn change_view(step: &engine::TaskTransition) -> ReconcileStep {
    ReconcileStep {
        task: step.task.to_string(),
        attempt: step.attempt.as_ref().map(ToString::to_string),
        from: step.from.to_owned(),
        to: step.to.to_owned(),
        reason: step.reason.clone(),
    }
}
