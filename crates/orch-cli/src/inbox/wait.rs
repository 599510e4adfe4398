//! `inbox wait`: messages to an agent after its cursor, as soon as there are any.

use orch_app::AppError;
use orch_app::inbox::WaitForMessages;
use orch_app::values::{parse_duration, parse_list_limit, parse_message_id, parse_slug, parse_thread_id};
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::limit;
use orch_core::message::MessageKind;
use orch_core::time::TimeSpan;

use crate::arguments::EmptyOkOption;
use crate::context::CommandRuntime;
use crate::inbox::value_parsers;
use crate::respond::CommandOutcome;

/// Wait for messages
///
/// Returns at once if there are messages after your acknowledged cursor. It acknowledges nothing; `inbox ack`
/// does.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox wait --for lead --kind question --timeout 5m")]
pub(super) struct InboxWaitArgs {
    /// The agent [default: you]
    #[arg(long = "for", value_name = "AGENT", value_parser = parse_slug)]
    agent: Option<Slug>,
    /// Only messages of this thread [env: INBOX_THREAD]
    #[arg(long, value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    /// Only messages of this kind
    #[arg(long, value_parser = value_parsers::message_kind_parser())]
    kind: Option<MessageKind>,
    /// Only messages after this one, instead of the acknowledged cursor
    #[arg(long, value_name = "MESSAGE", value_parser = parse_message_id)]
    after: Option<MessageId>,
    /// The time to wait
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_value = "100s", default_missing_value = "100s",
        value_parser = parse_duration)]
    timeout: TimeSpan,
    /// Return at most this many messages
    #[arg(short = 'n', long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
    #[command(flatten)]
    empty_ok: EmptyOkOption,
}

pub(super) fn run(args: InboxWaitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_agent_or("--for", args.agent.as_ref())?;
    let request = WaitForMessages {
        thread: context.app().own_thread_or(args.thread, &agent)?,
        agent,
        kind: args.kind,
        after: args.after,
        timeout: args.timeout,
        limit: args.limit,
        empty_ok: args.empty_ok.empty_ok,
    };
    context.show(&request)
}
