//! `orch worktree show`.

use orch_contract::orch::worktree::{WorktreeContentsView, WorktreeShowResponse};
use orch_core::limit;
use orch_core::shell;
use orch_core::worktree::WorktreeState;
use orch_scheduler::AttemptSelector;
use orch_scheduler::worktree::show::{self as engine, WorktreeDetail};

use super::worktree_view;
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::naming::parse_attempt;

/// Show the worktree of an attempt and its uncommitted changes
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree show parser@1")]
pub(super) struct WorktreeShowArgs {
    /// The attempt, KEY, KEY@N or RUN/KEY@N [default: the task's last one]
    #[arg(value_name = "ATTEMPT", value_parser = parse_attempt)]
    attempt: AttemptSelector,
}

pub(super) fn run(
    args: WorktreeShowArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let wanted = run.resolve_attempt(args.attempt, context)?;
    let detail = engine::show_worktree(context.open_session()?, &wanted)?;
    Ok(CommandReply::new(worktree_show_response(&detail)).into())
}

fn worktree_show_response(detail: &WorktreeDetail) -> WorktreeShowResponse {
    let shown = &detail.shown;
    let can_come_back = shown.tree.state == WorktreeState::Removed && shown.tree.salvage.is_some();
    WorktreeShowResponse {
        worktree: worktree_view(shown),
        contents: detail.contents.as_ref().map(contents_view),
        restore: can_come_back
            .then(|| shell::join_words(["orch", "worktree", "restore", &shown.attempt.name.to_string()])),
    }
}

fn contents_view(found: &engine::WorktreeContents) -> WorktreeContentsView {
    let dirty = found.dirty.iter().take(limit::DIRTY_SHOWN);
    WorktreeContentsView {
        commit: found.commit.clone(),
        branch: found.branch.clone(),
        operation: found.operation.map(str::to_owned),
        clean: found.dirty.is_empty(),
        dirty: dirty.map(|file| file.path.display().to_string()).collect(),
        dirty_total: found.dirty.len() as u64,
        processes: found.processes.clone(),
    }
}
