//! `orch worktree list`.

use orch_contract::orch::worktree::WorktreesAnswer;
use orch_core::id::Slug;
use orch_scheduler::worktree::list::list;

use super::tree;
use crate::arguments::{Paging, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::NamedRun;
use crate::respond::{Outcome, Reply};

/// List the worktrees of a run's attempts, oldest first, and what is really there
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree list ship")]
pub(super) struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: Paging,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.or(args.named.as_ref(), context)?;
    let found = list(context.session()?, run.as_ref(), &args.paging.page())?;
    let answer = WorktreesAnswer {
        run: found.run.name.to_string(),
        worktrees: found.trees.items.iter().map(tree).collect(),
        spares: found.spares.iter().map(|path| path.display().to_string()).collect(),
        total: found.trees.total,
        next: found.trees.next,
    };
    Ok(Reply::new(answer).into())
}
