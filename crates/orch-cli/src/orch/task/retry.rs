//! `orch task retry`.

use orch_scheduler::TaskRef;
use orch_scheduler::task::Verb;

use super::{Manner, steer};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::{NamedRun, task};
use crate::respond::Outcome;

/// Give a failed or cancelled task fresh tries
///
/// Tasks that were skipped because of it wait for it again. Attempt numbers go on.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task retry parser")]
pub(super) struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    steer(args.task, &args.manner, Verb::Retry, context, run)
}
