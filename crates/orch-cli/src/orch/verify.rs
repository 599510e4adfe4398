//! `orch verify`.

use orch_app::naming::{parse_task, task_text};
use orch_app::orch::verify::VerifyTask;
use orch_app::{AppError, TaskSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Run the checks on a reported attempt
///
/// The run's checks run first, then the task's, in the attempt's worktree. If a check fails, the attempt is
/// rejected, the task is retried, and the next attempt gets the reason. The exit status is then 4.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch verify parser")]
pub(super) struct VerifyArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// Run checks again although their results are known
    #[arg(long)]
    no_check_cache: bool,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: VerifyArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    context.print_progress(&format!("Running the checks of {} …", task_text(&task)));
    let request =
        VerifyTask { agent, task, no_check_cache: args.no_check_cache, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
