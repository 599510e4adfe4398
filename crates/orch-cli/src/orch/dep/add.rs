//! `orch dep add`.

use orch_scheduler::TaskSelector;
use orch_scheduler::dep::add_dependencies;

use super::{change_dependencies, list_keys};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::orch::task::ChangeOptions;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::{keys_of_one_run, parse_task};

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

pub(super) fn run(
    args: DepAddArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let (named, on) = keys_of_one_run(args.task.run, &args.on, "ON")?;
    let task = run.resolve_task(TaskSelector { run: named, key: args.task.key }, context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task))
        .with_list("on", &on);
    let sentence = format!("{} waits for {}.", task.key, list_keys(&on));
    change_dependencies(context, &args.manner, fingerprint, sentence, |session, receipt| {
        add_dependencies(session, receipt, &who, &task, &on)
    })
}
