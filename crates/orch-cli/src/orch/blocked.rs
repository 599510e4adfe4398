//! `orch blocked`.

use orch_contract::ReasonView;
use orch_contract::orch::blocked::{BlockedResponse, StuckTaskView};
use orch_scheduler::blocked::list_blockers;

use super::naming::NamedRun;
use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::orch::view;

/// List open questions and stuck tasks
///
/// Questions come first, oldest first, then tasks that need a person.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch blocked")]
pub struct BlockedArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &BlockedArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run(context)?;
    let found = list_blockers(context.open_session()?, run.as_ref(), &args.paging.page_request())?;
    let stuck = found.stuck.iter().map(|stuck| StuckTaskView {
        task: stuck.task.to_string(),
        reasons: ReasonView::from_reasons(&stuck.reasons, &stuck.task),
    });
    let answer = BlockedResponse {
        questions: found.questions.iter().map(view::question_view).collect(),
        stuck: stuck.collect(),
        total: found.questions_total + found.stuck_total,
        next: found.next,
    };
    Ok(CommandReply::new(answer).into())
}
