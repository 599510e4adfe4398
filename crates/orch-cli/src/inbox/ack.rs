//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_app::AppError;
use orch_app::inbox::AcknowledgeMessages;
use orch_app::values::{parse_message_id, parse_slug};
use orch_core::id::{MessageId, Slug};

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
    /// The last message to acknowledge
    #[arg(long, value_name = "MESSAGE", value_parser = parse_message_id)]
    through: MessageId,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: InboxAckArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_agent_or("--for", args.agent.as_ref())?;
    context.answer(&AcknowledgeMessages { agent, through: args.through }, &args.repeatable)
}
