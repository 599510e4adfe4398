//! `orch why`.

use orch_contract::Reason;
use orch_contract::orch::why::WhyAnswer;
use orch_scheduler::TaskRef;
use orch_scheduler::why::why;

use super::naming::{NamedRun, task};
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Explain why a task is where it is, and what would move it
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch why release")]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
}

/// Runs the command.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let task = run.task(args.task, context)?;
    let found = why(context.session()?, &task)?;
    let task = &found.shown.task;
    let answer = WhyAnswer {
        task: task.name.to_string(),
        state: task.state.into(),
        reasons: Reason::all(&found.reasons, &task.name),
    };
    Ok(Reply::new(answer).into())
}
