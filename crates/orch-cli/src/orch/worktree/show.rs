//! `orch worktree show`.

use orch_contract::orch::worktree::{Contents, WorktreeShowAnswer};
use orch_core::limit;
use orch_core::shell;
use orch_core::worktree::WorktreeState;
use orch_scheduler::AttemptRef;
use orch_scheduler::worktree::show::{self as engine, TreeDetail};

use super::tree;
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::{NamedRun, attempt};
use crate::respond::{Outcome, Reply};

/// Show the worktree of an attempt and what is changed in it
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree show parser@1")]
pub(super) struct Args {
    /// Which attempt, KEY, KEY@N or RUN/KEY@N; the task's last when N is not given
    #[arg(value_name = "ATTEMPT", value_parser = attempt)]
    attempt: AttemptRef,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let wanted = run.attempt(args.attempt, context)?;
    let detail = engine::show(context.session()?, &wanted)?;
    Ok(Reply::new(answer(&detail)).into())
}

fn answer(detail: &TreeDetail) -> WorktreeShowAnswer {
    let shown = &detail.shown;
    let can_come_back = shown.tree.state == WorktreeState::Removed && shown.tree.salvage.is_some();
    WorktreeShowAnswer {
        worktree: tree(shown),
        contents: detail.contents.as_ref().map(contents),
        restore: can_come_back
            .then(|| shell::line(["orch", "worktree", "restore", &shown.attempt.name.to_string()])),
    }
}

fn contents(found: &engine::Contents) -> Contents {
    let dirty = found.dirty.iter().take(limit::DIRTY_SHOWN);
    Contents {
        commit: found.commit.clone(),
        branch: found.branch.clone(),
        operation: found.operation.map(str::to_owned),
        clean: found.dirty.is_empty(),
        dirty: dirty.map(|file| file.path.display().to_string()).collect(),
        dirty_total: found.dirty.len() as u64,
        processes: found.processes.clone(),
    }
}
