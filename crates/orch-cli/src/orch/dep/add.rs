//! `orch dep add`.

use orch_app::naming::{keys_of_one_run, parse_task};
use orch_app::orch::dep::add::AddDependencies;
use orch_app::{AppError, TaskSelector};

use super::{dependency_outcome, list_keys};
use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Make a task depend on others
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep add release docs tests    # release waits for docs and tests")]
pub(super) struct DepAddArgs {
    /// The task that waits, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The tasks it waits for
    #[arg(value_name = "ON", required = true, value_parser = parse_task)]
    on: Vec<TaskSelector>,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: DepAddArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let (run, on) = keys_of_one_run(args.task.run, &args.on, "ON")?;
    let task = context.app().resolve_task(TaskSelector { run, key: args.task.key })?;
    let sentence = format!("{} waits for {}.", task.key, list_keys(&on));
    let request = AddDependencies { agent, task, on, full: args.manner.detail.full };
    let reply = context.app().answer(&request, args.manner.repeatable.request_id.as_deref())?;
    Ok(dependency_outcome(sentence, reply))
}
