//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_contract::inbox::AckAnswer;
use orch_core::id::{MessageId, Slug};
use orch_inbox::ack::{self, Ack};

use crate::arguments::{self, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Reply;

/// Acknowledge the messages to you, through one
///
/// The cursor never moves back.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox ack --for lead --through m-12")]
pub struct Args {
    /// Whose cursor; yours when not given
    #[arg(long = "for", value_name = "AGENT", value_parser = arguments::slug)]
    agent: Option<Slug>,
    /// The last message that was dealt with
    #[arg(long, value_name = "MESSAGE", value_parser = arguments::message)]
    through: MessageId,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Moves the cursor.
///
/// # Errors
/// The agent is unknown, the message lies beyond the newest, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<AckAnswer>, Failure> {
    let agent = context.agent_or("--for", args.agent.as_ref())?;
    let request = Ack { agent, through: args.through };
    let fingerprint =
        Fingerprint::of("inbox ack").with("for", &request.agent).with("through", request.through);
    let view = |cursor: &MessageId| AckAnswer { cursor: cursor.to_string() };
    context
        .change(&args.repeatable, fingerprint, view, |session, receipt| ack::ack(session, receipt, &request))
}
