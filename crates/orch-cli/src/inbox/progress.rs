//! `inbox progress`: tells how far the work is, and renews the lease.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::ReportProgress;
use orch_app::values::parse_percent;

use crate::arguments::{DetailOption, MessageOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::{TokenOptions, thread_and_text};
use crate::respond::CommandOutcome;

/// Report progress and renew the lease
///
/// Omit THREAD when INBOX_THREAD is set.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox progress th-1 --token TOKEN 'Two of three files done.' --percent 66"
)]
pub(super) struct ProgressArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// The progress message; `-` reads stdin
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    second: Option<String>,
    #[command(flatten)]
    message: MessageOption,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    text_file: Option<PathBuf>,
    /// The percentage done, 0 to 100
    #[arg(long, value_name = "N", value_parser = parse_percent)]
    percent: Option<u8>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: ProgressArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = thread_and_text(
        || context.app().held_thread(),
        words,
        args.text_file.is_some() || args.message.is_given(),
    )?;
    let text = context.text_source().read_required(
        "TEXT",
        args.message.text_or(text.as_deref()),
        args.text_file.as_deref(),
    )?;
    let token = args.token.read_token(context, thread)?;
    let request = ReportProgress { thread, token, text, percent: args.percent, full: args.detail.full };
    context.answer(&request, &args.repeatable)
}
