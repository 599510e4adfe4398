//! `orch run rm`.

use orch_contract::orch::run::RunRemoveResponse;
use orch_core::id::Slug;
use orch_scheduler::rm::{RemovedRun, remove_run};

use crate::arguments::{RequestIdOption, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Remove a run and salvage its unmerged work
///
/// Removes its tasks, messages, logs, worktrees and branches. The contents of worktrees, and commits that no
/// other branch has, are kept under refs/orch/salvage/. A run with live attempts is refused; cancel it first.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run rm ship")]
pub(super) struct RunRmArgs {
    /// Which run
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Slug,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: &RunRmArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let named = run.resolve_run_or(Some(&args.named), context)?.unwrap_or_else(|| args.named.clone());
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("run", &named);
    let reply = context.run_change(&args.repeatable, fingerprint, run_rm_response, |session, receipt| {
        remove_run(session, receipt, &who, &named)
    })?;
    Ok(reply.into())
}

fn run_rm_response(removed: &RemovedRun) -> RunRemoveResponse {
    RunRemoveResponse {
        run: removed.run.to_string(),
        tasks: removed.tasks,
        salvage: removed.salvage.clone(),
        repository: removed.repository.clone(),
    }
}
