//! `orch dep rm`.

use orch_app::naming::{keys_of_one_run, parse_task};
use orch_app::orch::dep::rm::RemoveDependency;
use orch_app::{AppError, TaskSelector};

use super::dependency_outcome;
use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Remove a dependency
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep rm release docs")]
pub(super) struct DepRmArgs {
    /// The task that waits, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The task it waits for
    #[arg(value_name = "ON", value_parser = parse_task)]
    on: TaskSelector,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: DepRmArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let on = args.on.key.clone();
    let (run, _) = keys_of_one_run(args.task.run, &[args.on], "ON")?;
    let task = context.app().resolve_task(TaskSelector { run, key: args.task.key })?;
    let sentence = format!("{} no longer waits for {on}.", task.key);
    let request = RemoveDependency { agent, task, on, full: args.manner.detail.full };
    let reply = context.app().answer(&request, args.manner.repeatable.request_id.as_deref())?;
    Ok(dependency_outcome(sentence, reply))
}
