//! `orch events`.

use orch_app::naming::parse_task;
use orch_app::orch::events::ListEvents;
use orch_app::values::{parse_event_id, parse_list_limit};
use orch_app::{AppError, TaskSelector};
use orch_core::id::EventId;
use orch_core::limit;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, WriteOutcome};

/// List events, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch events --last 20\n  orch events --after e-100 --follow")]
pub(super) struct EventsArgs {
    /// Only events after this one
    #[arg(long, value_name = "EVENT", value_parser = parse_event_id)]
    after: Option<EventId>,
    /// Keep printing new events until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only events of this task, KEY or RUN/KEY
    #[arg(long, value_name = "TASK", value_parser = parse_task)]
    task: Option<TaskSelector>,
    /// Show at most this many events; with --follow, at most this many per document
    #[arg(short = 'n', long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
    /// Show the newest N events, oldest first; with --follow, before the new ones
    #[arg(long, value_name = "N", conflicts_with_all = ["after", "limit"], value_parser = parse_list_limit)]
    last: Option<u32>,
}

pub(super) fn run(args: EventsArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let app = context.app();
    let task = args.task.map(|task| app.resolve_task(task)).transpose()?;
    let limit = args.last.unwrap_or(args.limit);
    let run = app.resolve_run()?;
    let mut request = ListEvents { run, task, after: args.after, limit, newest: args.last.is_some() };
    if !args.follow {
        return context.show(&request);
    }
    if args.last.is_some() {
        let batch = request.newest_batch(context.app())?;
        if context.print_stream_document(batch) != WriteOutcome::Complete {
            return Ok(CommandOutcome::Streamed);
        }
        request.limit = limit::LIST_DEFAULT;
    }
    loop {
        let batch = request.next_batch(context.app())?;
        if context.print_stream_document(batch) != WriteOutcome::Complete {
            return Ok(CommandOutcome::Streamed);
        }
    }
}
