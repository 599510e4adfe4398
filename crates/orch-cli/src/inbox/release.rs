//! `inbox release`: the holder gives its thread back.

use orch_contract::Thread;
use orch_contract::inbox::ThreadAnswer;
use orch_core::id::ThreadId;
use orch_inbox::{ThreadShown, release};

use crate::arguments::{self, Repeatable};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder::{self, Token};
use crate::respond::Reply;

/// Give a thread that you hold back to its queue
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox release th-1 --token TOKEN")]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Gives the thread back.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ThreadAnswer>, Failure> {
    let thread = holder::thread(context, args.thread)?;
    let token = args.token.read(context)?;
    let fingerprint = Fingerprint::of("inbox release").with("thread", thread).with("token", &token);
    context.change(&args.repeatable, fingerprint, view, |session, receipt| {
        release::release(session, receipt, thread, &token)
    })
}

/// What giving back and cancelling a thread answer.
#[must_use]
pub fn view(shown: &ThreadShown) -> ThreadAnswer {
    ThreadAnswer { thread: Thread::of(&shown.thread, shown.question.as_ref(), now()) }
}
