//! `orch run show`.

use orch_contract::RunView;
use orch_contract::orch::run::RunShowResponse;
use orch_contract::run::TaskCountsView;
use orch_core::id::Slug;
use orch_scheduler::run::show_run;

use crate::arguments::{DetailOption, PagingOptions, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::orch::view;

/// Show a run and its tasks, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run show ship")]
pub(super) struct RunShowArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
    #[command(flatten)]
    detail: DetailOption,
}

pub(super) fn run(
    args: &RunShowArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let session = context.open_session()?;
    let shown = show_run(session, run.as_ref(), &args.paging.page_request())?;
    let mut tasks = view::task_views(&shown.tasks.items);
    view::add_long_texts_to_all(session, &mut tasks, args.detail.full)?;
    let answer = RunShowResponse {
        run: RunView::from_run(&shown.run),
        counts: TaskCountsView::from_counts(&shown.run.counts),
        tasks,
        total: shown.tasks.total,
        next: shown.tasks.next,
    };
    Ok(CommandReply::new(answer).into())
}
