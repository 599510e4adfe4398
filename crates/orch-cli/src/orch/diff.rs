//! `orch diff`.

use orch_contract::attempt::FileChange;
use orch_contract::orch::diff::DiffAnswer;
use orch_core::{limit, visible};
use orch_scheduler::AttemptRef;
use orch_scheduler::diff::{Diff, Extent, diff};

use super::naming::{NamedRun, attempt};
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Show what an attempt has committed since the commit that it began from
///
/// While it is under way this is what lies on its branch; afterwards it is what its worker reported. What git prints is
/// printed as it is, so that it can be applied elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch diff parser\n  orch diff parser@1 --stat")]
pub struct Args {
    /// Which attempt, KEY, KEY@N, RUN/KEY or RUN/KEY@N; the live or last one when no number is given
    #[arg(value_name = "TASK", value_parser = attempt)]
    attempt: AttemptRef,
    /// Show a line for each file only
    #[arg(long)]
    stat: bool,
}

/// How much of a difference is printed as it is.
const RAW_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Runs the command.
///
/// # Errors
/// There is no such attempt, it has no worktree, or the store or git failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let wanted = run.attempt(args.attempt, context)?;
    let is_answer = context.json_wanted() || context.has_terminal();
    let bytes_max = if is_answer { limit::TEXT_BYTES_MAX } else { RAW_BYTES_MAX };
    let found = diff(context.session()?, &wanted, Extent { patch: !args.stat, bytes_max })?;
    if found.is_cut && !context.json_wanted() {
        context.warn("There is more than is shown.");
    }
    let answer = answer(&found);
    let bytes = found.patch.unwrap_or(found.stat);
    Ok(Outcome::Raw(bytes, Box::new(Reply::new(answer))))
}

fn answer(found: &Diff) -> DiffAnswer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    DiffAnswer {
        task: found.attempt.name.task.to_string(),
        attempt: found.attempt.name.to_string(),
        base_commit: found.base.to_string(),
        head_commit: found.head.to_string(),
        files: found.files.iter().take(limit::FILES_KEPT).map(file).collect(),
        files_total: found.files.len() as u64,
        stat: text(&found.stat),
        diff: found.patch.as_deref().map(text),
        cut: found.is_cut,
    }
}

fn file(change: &orch_git::FileChange) -> FileChange {
    FileChange {
        path: visible::text(&change.path),
        added: change.lines.map(|lines| lines.added),
        removed: change.lines.map(|lines| lines.removed),
    }
}
