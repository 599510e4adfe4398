//! `orch run pause`.

use orch_scheduler::run::Verb;

use super::{Which, steer};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::NamedRun;
use crate::respond::Outcome;

/// Stop dispatching from a run
///
/// Threads that nobody has claimed are withdrawn; claimed work goes on and may report.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run pause ship")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    steer(&args.which, Verb::Pause, context, run)
}
