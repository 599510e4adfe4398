//! `orch task redo`.

use orch_app::naming::parse_task;
use orch_app::orch::task::change::RedoTask;
use orch_app::values::parse_slug;
use orch_app::{AppError, TaskSelector};
use orch_core::id::Slug;

use crate::arguments::{ChangeOptions, NoteOptions, ReasonOption};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Add a task that does again what a done one did
///
/// A done task stays done. The new task has its title, checks and instructions, names it, and begins with its work.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task redo parser --note 'Tabs are missing.'")]
pub(super) struct TaskRedoArgs {
    /// The done task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The key of the new task [default: KEY-2, KEY-3, …]
    #[arg(long, value_name = "KEY", value_parser = parse_slug)]
    key: Option<Slug>,
    #[command(flatten)]
    reason: ReasonOption,
    #[command(flatten)]
    words: NoteOptions,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: TaskRedoArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let words = args.words.read(&args.reason, context)?;
    let task = context.app().resolve_task(args.task)?;
    let request = RedoTask { agent, task, key: args.key, words, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
