//! `orch events`.

use orch_contract::EventView;
use orch_contract::orch::events::EventsResponse;
use orch_core::id::EventId;
use orch_core::limit;
use orch_core::time::TimeSpan;
use orch_scheduler::TaskSelector;
use orch_scheduler::events::{EventsRequest, follow_events, list_events};

use super::naming::NamedRun;
use crate::arguments::{parse_event_id, parse_list_limit};
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply, WriteOutcome};
use orch_app::AppError;
use orch_app::naming::parse_task;

/// List events, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch events --after e-100 --follow")]
pub struct EventsArgs {
    /// Only events after this one
    #[arg(long, value_name = "EVENT", value_parser = parse_event_id)]
    after: Option<EventId>,
    /// Keep printing new events until interrupted
    #[arg(long)]
    follow: bool,
    /// Only events of this task, KEY or RUN/KEY
    #[arg(long, value_name = "TASK", value_parser = parse_task)]
    task: Option<TaskSelector>,
    /// Show at most this many events; with --follow, at most this many per document
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
}

/// How long one look for new events lasts.
const LOOK: TimeSpan = TimeSpan::from_minutes(10);

/// Runs the command.
///
/// # Errors
/// There is no such run or task, or the store failed.
pub fn run(
    args: EventsArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let task = args.task.map(|task| run.resolve_task(task, context)).transpose()?;
    let request =
        EventsRequest { run: run.resolve_run(context)?, task, after: args.after, limit: args.limit };
    if args.follow {
        return stream_events(request, context);
    }
    let page = list_events(context.open_session()?, &request)?;
    let answer = EventsResponse {
        events: EventView::from_events(&page.items),
        total: Some(page.total),
        next: page.next,
    };
    Ok(CommandReply::new(answer).into())
}

/// Prints events in parts, until nobody reads them any more.
fn stream_events(
    mut request: EventsRequest,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    loop {
        let batch = follow_events(context.open_session()?, &request, LOOK)?;
        let Some(last) = batch.last() else { continue };
        request.after = Some(last.id);
        let answer = EventsResponse { events: EventView::from_events(&batch), total: None, next: None };
        if context.print_stream_document(answer) != WriteOutcome::Complete {
            return Ok(CommandOutcome::Streamed);
        }
    }
}
