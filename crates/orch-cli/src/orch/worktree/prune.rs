//! `orch worktree prune`.

use orch_contract::ErrorView;
use orch_contract::orch::worktree::{PruneResponse, RemovedWorktree, RetainedWorktree};
use orch_core::id::Slug;
use orch_scheduler::worktree::prune::{self as engine, PruneOutcome};

use crate::arguments::{RequestIdOption, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::error as failure;
use orch_app::fingerprint::RequestFingerprint;

/// Remove the worktrees of all ended attempts, after salvaging their contents
///
/// Worktrees of live attempts, and those a process works in, stay. `orch worktree restore` restores removed ones.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree prune ship --dry-run")]
pub(super) struct WorktreePruneArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: &WorktreePruneArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    if args.dry_run {
        let planned = engine::plan_prune(context.open_session()?, run.as_ref())?;
        return Ok(CommandReply::new(PruneResponse { dry_run: true, ..prune_response(&planned) }).into());
    }
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_optional("run", run.as_ref());
    let reply = context.run_change(&args.repeatable, fingerprint, prune_response, |session, receipt| {
        engine::prune_worktrees(session, receipt, &who, run.as_ref())
    })?;
    Ok(reply.into())
}

fn prune_response(pruned: &PruneOutcome) -> PruneResponse {
    let removed = pruned.removed.iter().map(|(attempt, tree)| RemovedWorktree {
        attempt: attempt.to_string(),
        path: tree.path.clone(),
        salvage: tree.salvage.clone(),
    });
    let stayed = pruned.stayed.iter().map(|(attempt, tree, error)| {
        let ErrorView { code, message, .. } = failure::error_view(error);
        RetainedWorktree {
            attempt: attempt.to_string(),
            path: tree.path.clone(),
            code: code.to_string(),
            reason: message,
        }
    });
    PruneResponse {
        run: pruned.run.name.to_string(),
        dry_run: false,
        removed: removed.collect(),
        stayed: stayed.collect(),
        spares: pruned.spares.iter().map(|path| path.display().to_string()).collect(),
    }
}
