//! `inbox ask`: a question that blocks the work until it is answered.

use std::path::PathBuf;

use orch_contract::MessageView;
use orch_contract::inbox::AskResponse;
use orch_core::time::TimeSpan;
use orch_inbox::ask::{self, AskOutcome, AskRequest};
use orch_inbox::{Error, WaitTarget};

use crate::arguments::{self, EmptyOkOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::{self, TokenOptions};
use crate::respond::CommandReply;
use crate::text_source::{check_entries, check_not_empty};
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Ask a question and block the work until it is answered
///
/// Repeating the same question attaches to the open one, or returns its answer. Omit THREAD when INBOX_THREAD
/// is set.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox ask th-1 --token TOKEN 'Which port?' --option 80 --option 8080 --wait 5m"
)]
pub struct AskArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// The question; `-` reads stdin
    #[arg(value_name = "QUESTION", allow_hyphen_values = true)]
    second: Option<String>,
    /// Read the question from a file
    #[arg(long, value_name = "FILE")]
    question_file: Option<PathBuf>,
    /// A suggested answer; may be repeated
    #[arg(long = "option", value_name = "TEXT", allow_hyphen_values = true)]
    options: Vec<String>,
    /// The answer if nobody replies in time
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    default: Option<String>,
    /// The time after which the default becomes the answer
    #[arg(long, value_name = "DURATION", requires = "default", value_parser = arguments::parse_duration)]
    default_after: Option<TimeSpan>,
    /// Wait for the answer, 100s unless a duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = arguments::parse_duration)]
    wait: Option<TimeSpan>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    empty_ok: EmptyOkOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Asks.
///
/// # Errors
/// The token is not the live one, another question is open, the wait timed out, or the store failed.
pub fn run(args: &AskArgs, context: &mut CommandRuntime<'_>) -> Result<CommandReply<AskResponse>, AppError> {
    let request = ask_request(args, context)?;
    let empty_ok = args.empty_ok.empty_ok;
    context.run_change(&args.repeatable, ask_fingerprint(&request), ask_response, |session, receipt| {
        match ask::ask_question(session, receipt, &request) {
            // The question stays open; asking it again attaches to it without waiting.
            Err(Error::TimedOut(WaitTarget::Answer { .. })) if empty_ok => {
                ask::ask_question(session, receipt, &AskRequest { wait: None, ..request.clone() })
            }
            asked => asked,
        }
    })
}

fn ask_request(args: &AskArgs, context: &mut CommandRuntime<'_>) -> Result<AskRequest, AppError> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = holder::thread_and_text(context.environment(), words, args.question_file.is_some())?;
    let question =
        context.text_source().read_required("QUESTION", text.as_deref(), args.question_file.as_deref())?;
    check_entries("--option", &args.options)?;
    if let Some(default) = &args.default {
        check_not_empty("--default", default)?;
    }
    Ok(AskRequest {
        thread,
        token: args.token.read_token(context)?,
        question,
        options: args.options.clone(),
        default: args.default.clone(),
        default_after: args.default_after,
        wait: args.wait,
    })
}

fn ask_fingerprint(request: &AskRequest) -> RequestFingerprint {
    RequestFingerprint::for_command("inbox ask")
        .with_argument("thread", request.thread)
        .with_argument("token", &request.token)
        .with_argument("question", &request.question)
        .with_list("option", &request.options)
        .with_optional("default", request.default.as_ref())
        .with_optional("default_after_ms", request.default_after.map(|span| span.0))
}

fn ask_response(asked: &AskOutcome) -> AskResponse {
    AskResponse {
        question: MessageView::from_message(&asked.question),
        answer: asked.answer.as_ref().map(MessageView::from_message),
    }
}
