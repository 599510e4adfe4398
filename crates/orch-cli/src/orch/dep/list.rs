//! `orch dep list`.

use orch_contract::orch::dependency::DependenciesAnswer;
use orch_scheduler::TaskRef;
use orch_scheduler::dep::{Edges, list};

use crate::arguments::Paging;
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::{NamedRun, task};
use crate::orch::view;
use crate::respond::{Outcome, Reply};

/// List who waits for whom: of one task, or of a whole run
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep list release")]
pub(super) struct Args {
    /// Only what this task waits for
    #[arg(value_name = "TASK", value_parser = task)]
    task: Option<TaskRef>,
    #[command(flatten)]
    paging: Paging,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let edges = match args.task {
        Some(task) => Edges::Task(run.task(task, context)?),
        None => Edges::Run(run.settle(context)?),
    };
    let page = list(context.session()?, &edges, &args.paging.page())?;
    let dependencies = page.items.iter().map(view::dependency).collect();
    Ok(Reply::new(DependenciesAnswer { dependencies, total: page.total, next: page.next }).into())
}
