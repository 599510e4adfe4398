//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_contract::inbox::MessageAckResponse;
use orch_core::id::{MessageId, Slug};
use orch_inbox::ack::{self, MessageAckRequest};

use crate::arguments::{self, RequestIdOption};
use crate::context::CommandRuntime;
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Acknowledge messages up to and including one
///
/// The cursor never moves back.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox ack --for lead --through m-12")]
pub struct InboxAckArgs {
    /// The agent whose cursor moves [default: you]
    #[arg(long = "for", value_name = "AGENT", value_parser = arguments::parse_slug)]
    agent: Option<Slug>,
    /// The last message to acknowledge
    #[arg(long, value_name = "MESSAGE", value_parser = arguments::parse_message_id)]
    through: MessageId,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Moves the cursor.
///
/// # Errors
/// The agent is unknown, the message lies beyond the newest, or the store failed.
pub fn run(
    args: &InboxAckArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<MessageAckResponse>, AppError> {
    let agent = context.calling_agent_or("--for", args.agent.as_ref())?;
    let request = MessageAckRequest { agent, through: args.through };
    let fingerprint = RequestFingerprint::for_command("inbox ack")
        .with_argument("for", &request.agent)
        .with_argument("through", request.through);
    let view = |cursor: &MessageId| MessageAckResponse { cursor: cursor.to_string() };
    context.run_change(&args.repeatable, fingerprint, view, |session, receipt| {
        ack::acknowledge_messages(session, receipt, &request)
    })
}
