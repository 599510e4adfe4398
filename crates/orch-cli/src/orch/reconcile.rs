//! `orch reconcile`.

use orch_contract::orch::reconcile::{Change, ReconcileAnswer};
use orch_engine::orch::reconcile as engine;

use super::naming::NamedRun;
use crate::arguments::Repeatable;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Let what workers reported move their tasks
///
/// Every other command does the same first, so this is for looking at the steps.
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
    let reply = context.change(
        &args.repeatable,
        fingerprint,
        |changes: &Vec<engine::Change>| ReconcileAnswer { changes: changes.iter().map(change).collect() },
        |session, receipt| engine::reconcile(session, receipt, run.as_ref(), args.dry_run),
    )?;
    Ok(reply.into())
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
