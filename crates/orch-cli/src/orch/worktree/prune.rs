//! `orch worktree prune`.

use orch_contract::ErrorView;
use orch_contract::orch::worktree::{PruneAnswer, Removed, Stayed};
use orch_core::id::Slug;
use orch_scheduler::worktree::prune::{self as engine, Pruned};

use crate::arguments::{Repeatable, slug};
use crate::context::Context;
use crate::failure::{self, Failure};
use crate::fingerprint::Fingerprint;
use crate::orch::naming::NamedRun;
use crate::respond::{Outcome, Reply};

/// Take the worktrees of all ended attempts of a run away, after everything in them was kept
///
/// Those of attempts under way stay, and so does what somebody works in. `orch worktree restore` brings any of them back.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree prune ship --dry-run")]
pub(super) struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    /// Say what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: Repeatable,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let run = run.or(args.named.as_ref(), context)?;
    if args.dry_run {
        let planned = engine::plan(context.session()?, run.as_ref())?;
        return Ok(Reply::new(PruneAnswer { dry_run: true, ..answer(&planned) }).into());
    }
    let fingerprint = Fingerprint::of(context.command()).with("as", &who).maybe("run", run.as_ref());
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        engine::prune(session, receipt, &who, run.as_ref())
    })?;
    Ok(reply.into())
}

fn answer(pruned: &Pruned) -> PruneAnswer {
    let removed = pruned.removed.iter().map(|(attempt, tree)| Removed {
        attempt: attempt.to_string(),
        path: tree.path.clone(),
        salvage: tree.salvage.clone(),
    });
    let stayed = pruned.stayed.iter().map(|(attempt, tree, error)| {
        let ErrorView { code, message, .. } = failure::of_error(error);
        Stayed {
            attempt: attempt.to_string(),
            path: tree.path.clone(),
            code: code.to_string(),
            reason: message,
        }
    });
    PruneAnswer {
        run: pruned.run.name.to_string(),
        dry_run: false,
        removed: removed.collect(),
        stayed: stayed.collect(),
        spares: pruned.spares.iter().map(|path| path.display().to_string()).collect(),
    }
}
