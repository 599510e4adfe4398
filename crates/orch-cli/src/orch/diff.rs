//! `orch diff`.

use orch_contract::attempt::FileChangeView;
use orch_contract::orch::diff::DiffResponse;
use orch_core::{escape, limit};
use orch_scheduler::AttemptSelector;
use orch_scheduler::diff::{AttemptDiff, DiffLimits, diff_attempt};

use super::naming::NamedRun;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::naming::parse_attempt;

/// Show the commits of an attempt as a diff against its base
///
/// Shows the branch of a live attempt, and the reported commit of an ended one. The output is git's own and
/// can be applied elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch diff parser\n  orch diff parser@1 --stat")]
pub struct DiffArgs {
    /// The attempt, KEY, KEY@N, RUN/KEY or RUN/KEY@N [default: the live or last one]
    #[arg(value_name = "TASK", value_parser = parse_attempt)]
    attempt: AttemptSelector,
    /// Show one line per file
    #[arg(long)]
    stat: bool,
}

/// How much of a difference is printed as it is.
const RAW_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Runs the command.
///
/// # Errors
/// There is no such attempt, it has no worktree, or the store or git failed.
pub fn run(
    args: DiffArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let wanted = run.resolve_attempt(args.attempt, context)?;
    let is_answer = context.is_json_requested() || context.has_terminal();
    let bytes_max = if is_answer { limit::TEXT_BYTES_MAX } else { RAW_BYTES_MAX };
    let found = diff_attempt(context.open_session()?, &wanted, DiffLimits { patch: !args.stat, bytes_max })?;
    if found.is_cut && !context.is_json_requested() {
        context.add_warning("There is more than is shown.");
    }
    let answer = diff_response(&found);
    let bytes = found.patch.unwrap_or(found.stat);
    Ok(CommandOutcome::Raw(bytes, Box::new(CommandReply::new(answer))))
}

fn diff_response(found: &AttemptDiff) -> DiffResponse {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    DiffResponse {
        task: found.attempt.name.task.to_string(),
        attempt: found.attempt.name.to_string(),
        base_commit: found.base.to_string(),
        head_commit: found.head.to_string(),
        files: found.files.iter().take(limit::FILES_KEPT).map(file_change).collect(),
        files_total: found.files.len() as u64,
        stat: text(&found.stat),
        diff: found.patch.as_deref().map(text),
        cut: found.is_cut,
    }
}

fn file_change(change: &orch_git::FileDiffStat) -> FileChangeView {
    FileChangeView {
        path: escape::path_text(&change.path),
        added: change.lines.map(|lines| lines.added),
        removed: change.lines.map(|lines| lines.removed),
    }
}
