//! `orch dep rm`.

use orch_scheduler::TaskSelector;
use orch_scheduler::dep::remove_dependency;

use super::change_dependencies;
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::orch::task::ChangeOptions;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::{keys_of_one_run, parse_task};

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

pub(super) fn run(
    args: DepRmArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let on = args.on.key.clone();
    let (named, _) = keys_of_one_run(args.task.run, &[args.on], "ON")?;
    let task = run.resolve_task(TaskSelector { run: named, key: args.task.key }, context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task))
        .with_argument("on", &on);
    let sentence = format!("{} no longer waits for {on}.", task.key);
    change_dependencies(context, &args.manner, fingerprint, sentence, |session, receipt| {
        remove_dependency(session, receipt, &who, &task, &on)
    })
}
