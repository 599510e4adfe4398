//! `orch stop`.

use orch_contract::orch::drive::StopResponse;
use orch_core::id::Slug;
use orch_scheduler::ps::stop_all_workers;

use super::naming::NamedRun;
use crate::arguments::parse_slug;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Stop all workers and supervisors
///
/// The runs are paused; `orch run resume` and `orch drive` continue them. Work in progress is released and
/// counts as no try.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch stop")]
pub struct StopArgs {
    /// The run [default: all]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &StopArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    context.print_progress("Ending all workers …");
    let stopped = stop_all_workers(context.open_session()?, &who, run.as_ref())?;
    let answer = StopResponse {
        paused: stopped.paused.iter().map(ToString::to_string).collect(),
        supervisors: stopped.supervisors,
        workers: stopped.workers,
        left: stopped.left.iter().map(ToString::to_string).collect(),
    };
    Ok(CommandReply::new(answer).into())
}
