//! `orch meter`.

use orch_contract::orch::meter::{MeterLine, MeterResponse};
use orch_core::id::Slug;
use orch_core::limit;
use orch_scheduler::meter::{OutputCost, load_meter};

use super::naming::NamedRun;
use crate::arguments::parse_slug;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Show how much output the commands printed for each agent, in bytes and approximate tokens
///
/// Counts the output of commands that belong to a run: those of a lead, and those of workers with ORCH_RUN
/// set, as every started worker has. A worker's brief counts as output of `inbox run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch meter ship")]
pub struct MeterArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

/// How many bytes of text a token stands for, about.
const TOKEN_BYTES: u64 = 4;

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &MeterArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let found = load_meter(context.open_session()?, run.as_ref())?;
    let answer = MeterResponse {
        run: found.run.to_string(),
        calls: found.total.calls,
        bytes: found.total.bytes,
        tokens: found.total.bytes / TOKEN_BYTES,
        agents: meter_lines(&found.agents),
        agents_total: found.agents.len() as u64,
        commands: meter_lines(&found.commands),
    };
    Ok(CommandReply::new(answer).into())
}

fn meter_lines(costs: &[(String, OutputCost)]) -> Vec<MeterLine> {
    let most = usize::try_from(limit::LIST_DEFAULT).unwrap_or(usize::MAX);
    let line = |(name, cost): &(String, OutputCost)| MeterLine {
        name: name.clone(),
        calls: cost.calls,
        bytes: cost.bytes,
        tokens: cost.bytes / TOKEN_BYTES,
    };
    costs.iter().take(most).map(line).collect()
}
