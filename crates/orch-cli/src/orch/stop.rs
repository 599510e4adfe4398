//! `orch stop`.

use orch_contract::orch::drive::StopAnswer;
use orch_core::id::Slug;
use orch_scheduler::ps::stop_all;

use super::naming::NamedRun;
use crate::arguments::slug;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// End all workers, with grace, and the supervisors that would start new ones
///
/// Runs are paused, so that nothing begins again; `orch run resume` and `orch drive` go on. Work that was under way is
/// given back, and counts for nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch stop")]
pub struct Args {
    /// Which run; all of them when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let run = run.or(args.named.as_ref(), context)?;
    context.progress("Ending all workers …");
    let stopped = stop_all(context.session()?, &who, run.as_ref())?;
    let answer = StopAnswer {
        paused: stopped.paused.iter().map(ToString::to_string).collect(),
        supervisors: stopped.supervisors,
        workers: stopped.workers,
        left: stopped.left.iter().map(ToString::to_string).collect(),
    };
    Ok(Reply::new(answer).into())
}
