//! `orch run resume`.

use orch_scheduler::run::Verb;

use super::{Which, steer};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::NamedRun;
use crate::respond::Outcome;

/// Let a paused run go on
///
/// Threads that the pause withdrew are offered again.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run resume ship")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    steer(&args.which, Verb::Resume, context, run)
}
