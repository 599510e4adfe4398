//! `orch dispatch`.

use orch_app::naming::parse_task;
use orch_app::orch::dispatch::{DispatchAll, DispatchNamed, DispatchTask};
use orch_app::values::{parse_list_limit, parse_slug};
use orch_app::{AppError, TaskSelector};
use orch_core::id::Slug;
use orch_core::limit;

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Dispatch ready tasks to agents: the named ones, or all
///
/// Each dispatch creates a new attempt with its own thread in the agent's inbox.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch dispatch parser --to w1\n  orch dispatch --all --to w1,w2 --limit 8"
)]
pub(super) struct DispatchArgs {
    /// The tasks, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task, required_unless_present = "all")]
    tasks: Vec<TaskSelector>,
    /// Dispatch all ready tasks, in the order of `orch ready`
    #[arg(long, conflicts_with = "tasks")]
    all: bool,
    /// The agent, instead of each task's own; with --all several agents share the work
    #[arg(long, value_name = "AGENT", value_delimiter = ',', value_parser = parse_slug)]
    to: Vec<Slug>,
    /// Dispatch at most this many tasks [default: 100]
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "tasks", value_parser = parse_list_limit)]
    limit: Option<u32>,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: DispatchArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let full = args.manner.detail.full;
    if args.tasks.is_empty() {
        let run = context.app().resolve_run()?;
        let (limit, is_default_limit) = (args.limit.unwrap_or(limit::LIST_DEFAULT), args.limit.is_none());
        let request = DispatchAll { agent, run, to: args.to, limit, is_default_limit, full };
        return context.answer(&request, &args.manner.repeatable);
    }
    let mut tasks = Vec::with_capacity(args.tasks.len());
    for task in args.tasks {
        tasks.push(context.app().resolve_task(task)?);
    }
    if tasks.len() > 1 {
        let request = DispatchNamed { agent, tasks, to: args.to, full };
        return context.answer(&request, &args.manner.repeatable);
    }
    if args.to.len() > 1 {
        return Err(AppError::invalid_argument("--to", "One task goes to one agent."));
    }
    let Some(task) = tasks.pop() else { return Err(AppError::invalid_argument("TASK", "TASK is missing.")) };
    let request = DispatchTask { agent, task, to: args.to.into_iter().next(), full };
    context.answer(&request, &args.manner.repeatable)
}
