//! `orch ps`.

use orch_contract::orch::drive::{PsAnswer, Supervisor};
use orch_core::id::Slug;
use orch_scheduler::ps::{SupervisorShown, ps};

use super::drive::worker;
use super::naming::NamedRun;
use crate::arguments::slug;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// List the processes that work, and the supervisors
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ps")]
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
    let run = run.or(args.named.as_ref(), context)?;
    let found = ps(context.session()?, run.as_ref())?;
    let answer = PsAnswer {
        workers: found.workers.iter().map(worker).collect(),
        supervisors: found.supervisors.iter().map(supervisor).collect(),
    };
    Ok(Reply::new(answer).into())
}

fn supervisor(shown: &SupervisorShown) -> Supervisor {
    Supervisor {
        pid: shown.pid,
        alive: shown.alive,
        run: shown.run.as_ref().map(ToString::to_string),
        log: shown.row.log.clone(),
        started_at: shown.row.started_at.into(),
    }
}
