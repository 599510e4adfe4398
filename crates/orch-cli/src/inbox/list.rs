//! `inbox list`: threads, most urgent first, then oldest.

use orch_app::AppError;
use orch_app::inbox::ListThreads;
use orch_app::values::parse_slug;
use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::inbox::value_parsers;
use crate::respond::CommandOutcome;

/// List threads, most urgent first, then oldest
///
/// Shows the threads sent to an agent or held by it; those of all agents if none is named.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox list --for builders --state queued")]
pub(super) struct ListArgs {
    /// The agent [default: you]
    #[arg(long = "for", value_name = "AGENT", value_parser = parse_slug)]
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

pub(super) fn run(args: ListArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().resolve_list_agent(args.agent, args.unread)?;
    let paging = args.paging.paging();
    context.show(&ListThreads { agent, state: args.state, unread: args.unread, paging })
}
