//! `orch task show`.

use orch_contract::orch::task::TaskShowAnswer;
use orch_scheduler::TaskRef;
use orch_scheduler::task::show;

use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::{NamedRun, task};
use crate::orch::view;
use crate::respond::{Outcome, Reply};

/// Show a task with its spec, dependencies, attempts and results
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task show ship/parser")]
pub(super) struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let task = run.task(args.task, context)?;
    let detail = show(context.session()?, &task)?;
    let answer = TaskShowAnswer {
        task: view::whole(&detail),
        dependencies: detail.dependencies.iter().map(view::dependency).collect(),
        dependents: detail.dependents.iter().map(view::dependency).collect(),
        attempts: detail.attempts.iter().map(view::attempt).collect(),
    };
    Ok(Reply::new(answer).into())
}
