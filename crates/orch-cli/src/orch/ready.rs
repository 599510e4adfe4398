//! `orch ready`.

use orch_app::AppError;
use orch_app::orch::ready::ListReadyTasks;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::{DetailOption, PagingOptions};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List tasks that can be dispatched now
///
/// Ordered by priority, then the longest chain of dependents, then age.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ready --limit 10")]
pub(super) struct ReadyArgs {
    /// Only tasks with this label
    #[arg(long, value_name = "LABEL", value_parser = parse_slug)]
    label: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
    #[command(flatten)]
    detail: DetailOption,
}

pub(super) fn run(args: ReadyArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    context.show(&ListReadyTasks {
        run,
        label: args.label,
        paging: args.paging.paging(),
        full: args.detail.full,
    })
}
