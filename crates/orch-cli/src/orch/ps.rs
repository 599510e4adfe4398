//! `orch ps`.

use orch_contract::orch::drive::{PsResponse, SupervisorView};
use orch_core::id::Slug;
use orch_scheduler::ps::{SupervisorProcess, list_processes};

use super::drive::worker_view;
use super::naming::NamedRun;
use crate::arguments::parse_slug;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// List running workers and supervisors
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ps")]
pub struct PsArgs {
    /// The run [default: all]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &PsArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let found = list_processes(context.open_session()?, run.as_ref())?;
    let answer = PsResponse {
        workers: found.workers.iter().map(worker_view).collect(),
        supervisors: found.supervisors.iter().map(supervisor_view).collect(),
    };
    Ok(CommandReply::new(answer).into())
}

fn supervisor_view(shown: &SupervisorProcess) -> SupervisorView {
    SupervisorView {
        pid: shown.pid,
        alive: shown.alive,
        run: shown.run.as_ref().map(ToString::to_string),
        log: shown.row.log.clone(),
        started_at: shown.row.started_at.into(),
    }
}
