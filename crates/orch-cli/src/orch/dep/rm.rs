//! `orch dep rm`.

use orch_scheduler::TaskRef;
use orch_scheduler::dep::remove;

use super::change;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::{self, NamedRun, of_one_run, task};
use crate::orch::task::Manner;
use crate::respond::Outcome;

/// Let a task no longer wait for another
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep rm release docs")]
pub(super) struct Args {
    /// The task that waits, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    /// The task it waits for
    #[arg(value_name = "ON", value_parser = task)]
    on: TaskRef,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let on = args.on.key.clone();
    let (named, _) = of_one_run(args.task.run, &[args.on], "ON")?;
    let task = run.task(TaskRef { run: named, key: args.task.key }, context)?;
    let fingerprint =
        Fingerprint::of(context.command()).with("as", &who).with("task", naming::text(&task)).with("on", &on);
    let sentence = format!("{} no longer waits for {on}.", task.key);
    change(context, &args.manner, fingerprint, sentence, |session, receipt| {
        remove(session, receipt, &who, &task, &on)
    })
}
