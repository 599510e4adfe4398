//! `orch verify`.

use orch_app::naming::{attempt_text, parse_attempt};
use orch_app::orch::verify::VerifyTask;
use orch_app::{AppError, AttemptSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Run the checks on a reported attempt
///
/// The run's checks run first, then the task's, in a clean checkout of what the attempt reported. If a check fails,
/// the attempt is rejected, the task is retried, and the next attempt gets the reason. The exit status is then 4.
/// With --again, the last attempt of a task is judged again although it was rejected, and is accepted if its checks pass now.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch verify parser\n  orch verify parser@2 --again")]
pub(super) struct VerifyArgs {
    /// The attempt, KEY, KEY@N, RUN/KEY or RUN/KEY@N, the last one of its task
    #[arg(value_name = "TASK", value_parser = parse_attempt)]
    attempt: AttemptSelector,
    /// Run the checks again on an attempt that was rejected, and accept it if they pass
    #[arg(long)]
    again: bool,
    /// Run checks again although their results are known
    #[arg(long)]
    no_check_cache: bool,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: VerifyArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let attempt = context.app().resolve_attempt(args.attempt)?;
    context.print_progress(&format!("Running the checks of {} …", attempt_text(&attempt)));
    let request = VerifyTask {
        agent,
        task: attempt.task,
        number: attempt.number,
        again: args.again,
        no_check_cache: args.no_check_cache,
        full: args.manner.detail.full,
    };
    context.answer(&request, &args.manner.repeatable)
}
