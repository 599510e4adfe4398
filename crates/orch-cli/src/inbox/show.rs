//! `inbox show`: a thread with its messages.

use orch_contract::inbox::ShowAnswer;
use orch_contract::{Message, Thread};
use orch_core::id::ThreadId;
use orch_inbox::show;

use crate::arguments::{self, Paging};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::inbox::holder;
use crate::respond::Reply;

/// Show a thread and its messages, oldest first
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox show th-1")]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    paging: Paging,
}

/// Shows a thread.
///
/// # Errors
/// It is unknown, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ShowAnswer>, Failure> {
    let thread = holder::thread(context, args.thread)?;
    let shown = show::show(context.session()?, thread, &args.paging.page())?;
    Ok(Reply::new(ShowAnswer {
        thread: Thread::of(&shown.thread.thread, shown.thread.question.as_ref(), now()),
        messages: Message::all(&shown.messages.items),
        total: shown.messages.total,
        next: shown.messages.next,
    }))
}
