//! `orch task show`.

use orch_contract::orch::task::TaskShowResponse;
use orch_scheduler::TaskSelector;
use orch_scheduler::task::show_task;

use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::naming::parse_task;
use orch_app::orch::view;

/// Show a task with its spec, dependencies, attempts and results
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task show ship/parser")]
pub(super) struct TaskShowArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
}

pub(super) fn run(
    args: TaskShowArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let task = run.resolve_task(args.task, context)?;
    let detail = show_task(context.open_session()?, &task)?;
    let answer = TaskShowResponse {
        task: view::full_task_view(&detail),
        dependencies: detail.dependencies.iter().map(view::dependency_view).collect(),
        dependents: detail.dependents.iter().map(view::dependency_view).collect(),
        attempts: detail.attempts.iter().map(view::attempt_view).collect(),
    };
    Ok(CommandReply::new(answer).into())
}
