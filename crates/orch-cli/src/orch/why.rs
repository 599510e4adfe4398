//! `orch why`.

use orch_app::naming::parse_task;
use orch_app::orch::why::ExplainTask;
use orch_app::{AppError, TaskSelector};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Explain the state of a task and what would change it
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch why release")]
pub(super) struct WhyArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
}

pub(super) fn run(args: WhyArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let task = context.app().resolve_task(args.task)?;
    context.show(&ExplainTask { task })
}
