//! `orch blocked`.

use orch_contract::Reason;
use orch_contract::orch::blocked::{BlockedAnswer, Stuck};
use orch_scheduler::blocked::blocked;

use super::naming::NamedRun;
use super::view;
use crate::arguments::Paging;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// List open questions, and tasks that will not move by themselves
///
/// Questions come first, the oldest before the others; behind them come the tasks.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch blocked")]
pub struct Args {
    #[command(flatten)]
    paging: Paging,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.settle(context)?;
    let found = blocked(context.session()?, run.as_ref(), &args.paging.page())?;
    let stuck = found.stuck.iter().map(|stuck| Stuck {
        task: stuck.task.to_string(),
        reasons: Reason::all(&stuck.reasons, &stuck.task),
    });
    let answer = BlockedAnswer {
        questions: found.questions.iter().map(view::question).collect(),
        stuck: stuck.collect(),
        total: found.questions_total + found.stuck_total,
        next: found.next,
    };
    Ok(Reply::new(answer).into())
}
