//! `inbox show`: a thread with its messages.

use orch_contract::inbox::ThreadShowResponse;
use orch_contract::{MessageView, ThreadView};
use orch_core::id::ThreadId;
use orch_inbox::show;

use crate::arguments::{self, PagingOptions};
use crate::context::{CommandRuntime, current_time};
use crate::inbox::holder;
use crate::respond::CommandReply;
use orch_app::AppError;

/// Show a thread and its messages, oldest first
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox show th-1")]
pub struct ShowArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    paging: PagingOptions,
}

/// Shows a thread.
///
/// # Errors
/// It is unknown, or the store failed.
pub fn run(
    args: &ShowArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ThreadShowResponse>, AppError> {
    let thread = holder::resolve_thread(context, args.thread)?;
    let shown = show::show_thread(context.open_session()?, thread, &args.paging.page_request())?;
    Ok(CommandReply::new(ThreadShowResponse {
        thread: ThreadView::from_thread(&shown.thread.thread, shown.thread.question.as_ref(), current_time()),
        messages: MessageView::from_messages(&shown.messages.items),
        total: shown.messages.total,
        next: shown.messages.next,
    }))
}
