//! `orch wait`.

use orch_app::values::parse_wake;
use orch_contract::orch::cursor::EventWaitResponse;
use orch_contract::task::slug_texts;
use orch_contract::{ErrorCode, ErrorView, EventView};
use orch_core::event::AwaitedEvent;
use orch_core::id::EventId;
use orch_core::limit;
use orch_core::time::TimeSpan;
use orch_inbox::{Error, WaitTarget};
use orch_scheduler::wait::{EventWaitOutcome, EventWaitRequest, wait_for_events};

use super::naming::NamedRun;
use crate::arguments::{EmptyOkOption, parse_duration, parse_event_id, parse_list_limit};
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Wait for events that need the lead
///
/// Returns at once if there are such events after those acknowledged with `orch ack`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch wait --for question,failed,lost,finished --timeout 10m")]
pub struct WaitArgs {
    /// The kinds of events: question reported done failed lost finished; may be repeated [default:
    /// question,failed,lost,finished]
    #[arg(long = "for", value_name = "KIND", value_delimiter = ',', value_parser = parse_wake)]
    wakes: Vec<AwaitedEvent>,
    /// Wait for events after this one, instead of after the acknowledged ones
    #[arg(long, value_name = "EVENT", value_parser = parse_event_id)]
    after: Option<EventId>,
    /// The time to wait
    #[arg(long, value_name = "DURATION", default_value = "100s", value_parser = parse_duration)]
    timeout: TimeSpan,
    /// Show at most this many events
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
    #[command(flatten)]
    empty: EmptyOkOption,
}

/// Runs the command.
///
/// # Errors
/// The wait timed out, a run that was waited for ended with unfinished work, or the store failed.
pub fn run(
    args: WaitArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let agent = context.calling_agent_or("--as", None)?;
    let finish_wanted = args.wakes.contains(&AwaitedEvent::Finished);
    let request = EventWaitRequest {
        agent,
        run: run.resolve_run(context)?,
        wakes: if args.wakes.is_empty() { AwaitedEvent::DEFAULT.to_vec() } else { args.wakes },
        after: args.after,
        timeout: args.timeout,
        limit: args.limit,
    };
    let named = request.run.as_ref().map(ToString::to_string);
    match wait_for_events(context.open_session()?, &request) {
        Ok(waited) if finish_wanted && !waited.incomplete.is_empty() => Err(incomplete_failure(&waited)),
        Ok(waited) => {
            Ok(CommandReply::new(EventWaitResponse { run: named, ..wait_response(&waited) }).into())
        }
        Err(Error::TimedOut(WaitTarget::Events(cursor))) if args.empty.empty_ok => {
            Ok(CommandReply::new(EventWaitResponse {
                events: Vec::new(),
                cursor: cursor.to_string(),
                run: named,
            })
            .into())
        }
        Err(error) => Err(error.into()),
    }
}

fn wait_response(waited: &EventWaitOutcome) -> EventWaitResponse {
    EventWaitResponse {
        events: EventView::from_events(&waited.events),
        cursor: waited.cursor.to_string(),
        run: None,
    }
}

/// A run was to be waited for until it is finished, and it ended with unfinished work.
fn incomplete_failure(waited: &EventWaitOutcome) -> AppError {
    let EventWaitResponse { events, cursor, .. } = wait_response(waited);
    let runs = slug_texts(&waited.incomplete);
    let message = match runs.as_slice() {
        [run] => format!("The run {run} ended with unfinished work."),
        runs => format!("Runs ended with unfinished work: {}.", runs.join(", ")),
    };
    let mut error = ErrorView::new(ErrorCode::RunIncomplete, message);
    if let Some(run) = runs.first() {
        error = error.with_hint(format!("orch status {run}"));
    }
    // Events are texts and numbers, which always have a JSON form.
    let events = serde_json::to_value(events).unwrap_or_default();
    error.with_detail("events", events).with_detail("cursor", cursor).with_detail("runs", runs).into()
}
