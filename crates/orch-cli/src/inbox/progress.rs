//! `inbox progress`: tells how far the work is, and renews the lease.

use std::path::PathBuf;

use orch_contract::inbox::ProgressResponse;
use orch_contract::{MessageOrSummary, MessageView};
use orch_inbox::progress::{self, ProgressOutcome, ProgressRequest};

use crate::arguments::{self, DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::{self, TokenOptions};
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Report progress and renew the lease
///
/// Omit THREAD when INBOX_THREAD is set.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox progress th-1 --token TOKEN 'Two of three files done.' --percent 66"
)]
pub struct ProgressArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// The progress message; `-` reads stdin
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    second: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// The percentage done, 0 to 100
    #[arg(long, value_name = "N", value_parser = arguments::parse_percent)]
    percent: Option<u8>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Writes a progress message.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(
    args: &ProgressArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ProgressResponse>, AppError> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = holder::thread_and_text(context.environment(), words, args.text_file.is_some())?;
    let text = context.text_source().read_required("TEXT", text.as_deref(), args.text_file.as_deref())?;
    let request =
        ProgressRequest { thread, token: args.token.read_token(context)?, text, percent: args.percent };
    let fingerprint = RequestFingerprint::for_command("inbox progress")
        .with_argument("thread", request.thread)
        .with_argument("token", &request.token)
        .with_argument("text", &request.text)
        .with_optional("percent", request.percent);
    let full = args.detail.full;
    let view = |progressed: &ProgressOutcome| ProgressResponse {
        message: MessageOrSummary::from_message(&progressed.message, full),
        unread: progressed.unread.count,
        messages: MessageView::from_messages(&progressed.unread.messages),
    };
    context.run_change(&args.repeatable, fingerprint, view, |session, receipt| {
        progress::report_progress(session, receipt, &request)
    })
}
