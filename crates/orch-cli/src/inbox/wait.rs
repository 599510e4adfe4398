//! `inbox wait`: messages to an agent after its cursor, as soon as there are any.

use orch_contract::Message;
use orch_contract::inbox::WaitAnswer;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::limit;
use orch_core::message::MessageKind;
use orch_core::time::Span;
use orch_inbox::wait::{self, Wait};
use orch_inbox::{Awaited, Error};

use crate::arguments::{self, EmptyOk};
use crate::context::Context;
use crate::failure::Failure;
use crate::inbox::word;
use crate::respond::Reply;

/// Wait for messages to you
///
/// Returns at once when there are messages after your acknowledged cursor. Nothing is marked as read: `inbox ack`
/// does that.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox wait --for lead --kind question --timeout 5m")]
pub struct Args {
    /// Whose messages; yours when not given
    #[arg(long = "for", value_name = "AGENT", value_parser = arguments::slug)]
    agent: Option<Slug>,
    /// Only messages of this thread
    #[arg(long, value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    /// Only messages of this kind
    #[arg(long, value_parser = word::message_kind())]
    kind: Option<MessageKind>,
    /// Only messages after this one, instead of the acknowledged cursor
    #[arg(long, value_name = "MESSAGE", value_parser = arguments::message)]
    after: Option<MessageId>,
    /// How long to wait
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_value = "100s", default_missing_value = "100s",
        value_parser = arguments::duration)]
    timeout: Span,
    /// Return at most this many messages
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = arguments::list_limit)]
    limit: u32,
    #[command(flatten)]
    empty_ok: EmptyOk,
}

/// Waits.
///
/// # Errors
/// The wait timed out, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<WaitAnswer>, Failure> {
    let request = Wait {
        agent: context.agent_or("--for", args.agent.as_ref())?,
        thread: args.thread,
        kind: args.kind,
        after: args.after,
        timeout: args.timeout,
        limit: args.limit,
    };
    let (messages, cursor) = match wait::wait(context.session()?, &request) {
        Err(Error::TimedOut(Awaited::Messages(cursor))) if args.empty_ok.empty_ok => (Vec::new(), cursor),
        waited => waited.map(|waited| (Message::all(&waited.messages), waited.cursor))?,
    };
    Ok(Reply::new(WaitAnswer { messages, cursor: cursor.to_string() }))
}
