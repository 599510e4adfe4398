//! `orch run rm`.

use orch_contract::orch::run::RunRmAnswer;
use orch_core::id::Slug;
use orch_scheduler::rm::{RemovedRun, rm};

use crate::arguments::{Repeatable, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::NamedRun;
use crate::respond::Outcome;

/// Remove every trace of a run, and keep its work
///
/// Its tasks, messages, logs, worktrees and branches go. What its worktrees held stays below refs/orch/salvage/, and so
/// does what was on its branches and is nowhere else. A run that somebody works on is refused; cancel it first.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run rm ship")]
pub(super) struct Args {
    /// Which run
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Slug,
    #[command(flatten)]
    repeatable: Repeatable,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let named = run.or(Some(&args.named), context)?.unwrap_or_else(|| args.named.clone());
    let fingerprint = Fingerprint::of(context.command()).with("as", &who).with("run", &named);
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        rm(session, receipt, &who, &named)
    })?;
    Ok(reply.into())
}

fn answer(removed: &RemovedRun) -> RunRmAnswer {
    RunRmAnswer {
        run: removed.run.to_string(),
        tasks: removed.tasks,
        salvage: removed.salvage.clone(),
        repository: removed.repository.clone(),
    }
}
