//! `inbox list`: threads, most urgent first, then oldest.

use orch_contract::ThreadView;
use orch_contract::inbox::ThreadListResponse;
use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_inbox::list::{self, ThreadListRequest};

use crate::arguments::{self, PagingOptions};
use crate::context::{CommandRuntime, current_time};
use crate::inbox::value_parsers;
use crate::respond::CommandReply;
use orch_app::AppError;

/// List threads, most urgent first, then oldest
///
/// Shows the threads sent to an agent or held by it; those of all agents if none is named.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox list --for builders --state queued")]
pub struct ListArgs {
    /// The agent [default: you]
    #[arg(long = "for", value_name = "AGENT", value_parser = arguments::parse_slug)]
    agent: Option<Slug>,
    /// Only threads in this state
    #[arg(long, value_parser = value_parsers::thread_state_parser())]
    state: Option<ThreadStatus>,
    /// Only threads with messages that the agent has not acknowledged
    #[arg(long)]
    unread: bool,
    #[command(flatten)]
    paging: PagingOptions,
}

/// Lists threads.
///
/// # Errors
/// The cursor is not one, or the store failed.
pub fn run(
    args: &ListArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ThreadListResponse>, AppError> {
    let agent = match &args.agent {
        None if args.unread => Some(context.calling_agent_or("--for", None)?),
        None => context.calling_agent()?,
        named => named.clone(),
    };
    let request =
        ThreadListRequest { agent, state: args.state, unread: args.unread, page: args.paging.page_request() };
    let page = list::list_threads(context.open_session()?, &request)?;
    let now = current_time();
    let threads =
        page.items.iter().map(|shown| ThreadView::from_thread(&shown.thread, shown.question.as_ref(), now));
    Ok(CommandReply::new(ThreadListResponse {
        threads: threads.collect(),
        total: page.total,
        next: page.next,
    }))
}
