//! `orch diff`.

use orch_app::naming::parse_attempt;
use orch_app::orch::diff::{ANSWER_BYTES_MAX, DiffAttempt, DiffOutput, RAW_BYTES_MAX};
use orch_app::{AppError, AttemptSelector, Reply};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show the commits of an attempt as a diff against its base
///
/// Shows the branch of a live attempt, and the reported commit of an ended one. The output is git's own and
/// can be applied elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch diff parser\n  orch diff parser@1 --stat")]
pub(super) struct DiffArgs {
    /// The attempt, KEY, KEY@N, RUN/KEY or RUN/KEY@N [default: the live or last one]
    #[arg(value_name = "TASK", value_parser = parse_attempt)]
    attempt: AttemptSelector,
    /// Show one line per file
    #[arg(long)]
    stat: bool,
}

pub(super) fn run(args: DiffArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let attempt = context.app().resolve_attempt(args.attempt)?;
    let is_answer = context.is_json_requested() || context.has_terminal();
    let bytes_max = if is_answer { ANSWER_BYTES_MAX } else { RAW_BYTES_MAX };
    let request = DiffAttempt { attempt, patch: !args.stat, bytes_max };
    let DiffOutput { response, bytes } = context.app().answer(&request, None)?.data;
    if response.cut && !context.is_json_requested() {
        context.add_warning("There is more than is shown.");
    }
    Ok(CommandOutcome::Raw(bytes, Box::new(Reply::new(response))))
}
