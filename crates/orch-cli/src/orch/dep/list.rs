//! `orch dep list`.

use orch_contract::orch::dependency::DependencyListResponse;
use orch_scheduler::TaskSelector;
use orch_scheduler::dep::{DependencyFilter, list_dependencies};

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::naming::parse_task;
use orch_app::orch::view;

/// List the dependencies of a task or of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep list release")]
pub(super) struct DepListArgs {
    /// Only the dependencies of this task
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: Option<TaskSelector>,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(
    args: DepListArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let edges = match args.task {
        Some(task) => DependencyFilter::Task(run.resolve_task(task, context)?),
        None => DependencyFilter::Run(run.resolve_run(context)?),
    };
    let page = list_dependencies(context.open_session()?, &edges, &args.paging.page_request())?;
    let dependencies = page.items.iter().map(view::dependency_view).collect();
    Ok(CommandReply::new(DependencyListResponse { dependencies, total: page.total, next: page.next }).into())
}
