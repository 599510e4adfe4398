//! `inbox claim`: takes the most urgent work of a queue under a lease.

use orch_app::AppError;
use orch_app::inbox::{ClaimTarget, ClaimWork};
use orch_app::values::{parse_duration, parse_lease, parse_slug, parse_thread_id};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::time::TimeSpan;

use crate::arguments::{EmptyOkOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Claim the most urgent work of a queue
///
/// The response contains the token that every later command of the holder needs. Without work it fails with
/// `inbox_empty`, exit status 5; with --wait it waits for work first.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox claim --for builders --as ana --wait 60s")]
pub(super) struct ClaimArgs {
    /// The queue [default: you]
    #[arg(long = "for", value_name = "QUEUE", value_parser = parse_slug)]
    queue: Option<Slug>,
    /// Claim only this thread
    #[arg(long, value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    /// The lease, 1s to 24h [default: the thread's]
    #[arg(long, value_name = "DURATION", value_parser = parse_lease)]
    lease: Option<LeaseLength>,
    /// Wait for work, 100s unless a duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = parse_duration)]
    wait: Option<TimeSpan>,
    /// Replace the token of a thread that you hold; the old one becomes invalid
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    empty_ok: EmptyOkOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: ClaimArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = match args.thread {
        None if args.again => Some(context.app().resolve_thread(None)?),
        named => named,
    };
    let ClaimTarget { queue, holder } = context.app().resolve_claim(args.queue, thread)?;
    let request = ClaimWork {
        queue,
        holder,
        thread,
        lease: args.lease,
        again: args.again,
        wait: args.wait,
        empty_ok: args.empty_ok.empty_ok,
    };
    context.answer(&request, &args.repeatable)
}
