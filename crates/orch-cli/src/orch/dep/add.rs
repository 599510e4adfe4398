//! `orch dep add`.

use orch_scheduler::TaskRef;
use orch_scheduler::dep::add;

use super::{change, listed};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::{self, NamedRun, of_one_run, task};
use crate::orch::task::Manner;
use crate::respond::Outcome;

/// Make a task wait for others
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep add release docs tests    # release waits for docs and tests")]
pub(super) struct Args {
    /// The task that waits, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    /// The tasks it waits for
    #[arg(value_name = "ON", required = true, value_parser = task)]
    on: Vec<TaskRef>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let (named, on) = of_one_run(args.task.run, &args.on, "ON")?;
    let task = run.task(TaskRef { run: named, key: args.task.key }, context)?;
    let fingerprint =
        Fingerprint::of(context.command()).with("as", &who).with("task", naming::text(&task)).list("on", &on);
    let sentence = format!("{} waits for {}.", task.key, listed(&on));
    change(context, &args.manner, fingerprint, sentence, |session, receipt| {
        add(session, receipt, &who, &task, &on)
    })
}
