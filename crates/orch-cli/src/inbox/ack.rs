//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_app::AppError;
use orch_app::inbox::AcknowledgeMessages;
use orch_app::values::{parse_message_id, parse_slug, parse_thread_id};
use orch_core::id::{MessageId, Slug, ThreadId};

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Acknowledge messages up to and including one
///
/// The cursor never moves back.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox ack --for lead --through m-12")]
pub(super) struct InboxAckArgs {
    /// The agent whose cursor moves [default: you]
    #[arg(long = "for", value_name = "AGENT", value_parser = parse_slug)]
    agent: Option<Slug>,
    /// Acknowledge messages of this thread alone, which you work on [env: INBOX_THREAD]
    #[arg(long, value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    /// The last message to acknowledge
    #[arg(long, value_name = "MESSAGE", value_parser = parse_message_id)]
    through: MessageId,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: InboxAckArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_agent_or("--for", args.agent.as_ref())?;
    let thread = context.app().own_thread_or(args.thread, &agent)?;
    context.answer(&AcknowledgeMessages { agent, thread, through: args.through }, &args.repeatable)
}
