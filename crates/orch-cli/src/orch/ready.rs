//! `orch ready`.

use orch_contract::orch::task::TaskListResponse;
use orch_core::id::Slug;
use orch_scheduler::ready::{ReadyRequest, list_ready_tasks};

use super::naming::NamedRun;
use crate::arguments::{DetailOption, PagingOptions, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::orch::view;

/// List tasks that can be dispatched now
///
/// Ordered by priority, then the longest chain of dependents, then age.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ready --limit 10")]
pub struct ReadyArgs {
    /// Only tasks with this label
    #[arg(long, value_name = "LABEL", value_parser = parse_slug)]
    label: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
    #[command(flatten)]
    detail: DetailOption,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &ReadyArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let request = ReadyRequest {
        run: run.resolve_run(context)?,
        label: args.label.clone(),
        page: args.paging.page_request(),
    };
    let session = context.open_session()?;
    let page = list_ready_tasks(session, &request)?;
    let mut tasks = view::task_views(&page.items);
    view::add_long_texts_to_all(session, &mut tasks, args.detail.full)?;
    Ok(CommandReply::new(TaskListResponse { tasks, total: page.total, next: page.next }).into())
}
