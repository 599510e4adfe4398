//! `inbox list`: threads, most urgent first, then oldest.

use orch_contract::Thread;
use orch_contract::inbox::ListAnswer;
use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_inbox::list::{self, List};

use crate::arguments::{self, Paging};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::inbox::word;
use crate::respond::Reply;

/// List threads, most urgent first, then oldest
///
/// Shows the threads sent to an agent or held by it; those of every agent when nobody is named.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox list --for builders --state queued")]
pub struct Args {
    /// Whose threads; yours when not given
    #[arg(long = "for", value_name = "AGENT", value_parser = arguments::slug)]
    agent: Option<Slug>,
    /// Only threads in this state
    #[arg(long, value_parser = word::thread_state())]
    state: Option<ThreadStatus>,
    /// Only threads with messages that the agent has not acknowledged
    #[arg(long)]
    unread: bool,
    #[command(flatten)]
    paging: Paging,
}

/// Lists threads.
///
/// # Errors
/// The cursor is not one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ListAnswer>, Failure> {
    let agent = match &args.agent {
        None if args.unread => Some(context.agent_or("--for", None)?),
        None => context.agent()?,
        named => named.clone(),
    };
    let request = List { agent, state: args.state, unread: args.unread, page: args.paging.page() };
    let page = list::list(context.session()?, &request)?;
    let now = now();
    let threads = page.items.iter().map(|shown| Thread::of(&shown.thread, shown.question.as_ref(), now));
    Ok(Reply::new(ListAnswer { threads: threads.collect(), total: page.total, next: page.next }))
}
