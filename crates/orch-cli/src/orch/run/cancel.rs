//! `orch run cancel`.

use orch_scheduler::run::Verb;

use super::{Which, steer};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::NamedRun;
use crate::respond::Outcome;

/// End a run for good
///
/// Tasks that nobody works on are cancelled; claimed work may still report. A cancelled run takes no more tasks.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run cancel ship")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    steer(&args.which, Verb::Cancel, context, run)
}
