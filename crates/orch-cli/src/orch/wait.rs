//! `orch wait`.

use orch_app::AppError;
use orch_app::orch::wait::WaitForEvents;
use orch_app::values::{parse_duration, parse_event_id, parse_list_limit, parse_wake};
use orch_core::event::AwaitedEvent;
use orch_core::id::EventId;
use orch_core::limit;
use orch_core::time::TimeSpan;

use crate::arguments::EmptyOkOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Wait for events that need the lead
///
/// Returns at once if there are such events after those acknowledged with `orch ack`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch wait --for question,failed,lost,fault,finished --timeout 10m")]
pub(super) struct WaitArgs {
    /// The kinds of events: question review paused rate_limited reported done failed lost silent fault assigned
    /// finished; may be repeated
    ///
    /// By default those that need the lead: questions, pauses by others, failed and lost attempts that nothing will
    /// retry, faults, finished runs, and where no supervisor drives the run, reports that wait for `orch integrate`.
    #[arg(long = "for", value_name = "KIND", value_delimiter = ',', value_parser = parse_wake)]
    wakes: Vec<AwaitedEvent>,
    /// Wait for events after this one, instead of after the acknowledged ones
    #[arg(long, value_name = "EVENT", value_parser = parse_event_id)]
    after: Option<EventId>,
    /// The time to wait
    #[arg(long, value_name = "DURATION", default_value = "100s", value_parser = parse_duration)]
    timeout: TimeSpan,
    /// Show at most this many events
    #[arg(short = 'n', long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
    #[command(flatten)]
    empty: EmptyOkOption,
}

pub(super) fn run(args: WaitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let request = WaitForEvents {
        agent: context.app().calling_agent_or("--as", None)?,
        run: context.app().resolve_run()?,
        kinds: args.wakes,
        after: args.after,
        timeout: args.timeout,
        limit: args.limit,
        empty_ok: args.empty.empty_ok,
    };
    context.show(&request)
}
