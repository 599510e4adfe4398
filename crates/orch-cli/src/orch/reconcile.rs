//! `orch reconcile`.

use orch_contract::orch::reconcile::{Change, ReconcileAnswer};
use orch_engine::orch::reconcile::reconcile;

use super::naming::NamedRun;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

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
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    context.lead()?;
    let run = run.settle(context)?;
    let changes = reconcile(context.session()?, run.as_ref(), args.dry_run)?;
    let changes = changes
        .into_iter()
        .map(|change| Change {
            task: change.task.to_string(),
            attempt: change.attempt.map(|attempt| attempt.to_string()),
            from: change.from.to_owned(),
            to: change.to.to_owned(),
            reason: change.reason,
        })
        .collect();
    Ok(Reply::new(ReconcileAnswer { changes }).into())
}
