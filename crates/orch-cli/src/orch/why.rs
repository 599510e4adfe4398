//! `orch why`.

use orch_contract::ReasonView;
use orch_contract::orch::why::WhyResponse;
use orch_scheduler::TaskSelector;
use orch_scheduler::why::explain_task;

use super::naming::NamedRun;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::naming::parse_task;

/// Explain the state of a task and what would change it
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch why release")]
pub struct WhyArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
}

/// Runs the command.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn run(
    args: WhyArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let task = run.resolve_task(args.task, context)?;
    let found = explain_task(context.open_session()?, &task)?;
    let task = &found.shown.task;
    let answer = WhyResponse {
        task: task.name.to_string(),
        state: task.state.into(),
        reasons: ReasonView::from_reasons(&found.reasons, &task.name),
    };
    Ok(CommandReply::new(answer).into())
}
