//! `inbox ask`: a question that blocks the work until it is answered.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::AskQuestion;
use orch_app::values::parse_duration;
use orch_core::time::TimeSpan;

use crate::arguments::{EmptyOkOption, MessageOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::{TokenOptions, thread_and_text};
use crate::respond::CommandOutcome;
use crate::text_source::{check_entries, check_not_empty};

/// Ask a question and block the work until it is answered
///
/// Repeating the same question attaches to the open one, or returns its answer. Omit THREAD when INBOX_THREAD
/// is set.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox ask th-1 --token TOKEN 'Which port?' --option 80 --option 8080 --wait 5m"
)]
pub(super) struct AskArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// The question; `-` reads stdin
    #[arg(value_name = "QUESTION", allow_hyphen_values = true)]
    second: Option<String>,
    #[command(flatten)]
    message: MessageOption,
    /// Read the question from a file
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    question_file: Option<PathBuf>,
    /// A suggested answer; may be repeated
    #[arg(long = "option", value_name = "TEXT", allow_hyphen_values = true)]
    options: Vec<String>,
    /// The answer if nobody replies in time
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    default: Option<String>,
    /// The time after which the default becomes the answer
    #[arg(long, value_name = "DURATION", requires = "default", value_parser = parse_duration)]
    default_after: Option<TimeSpan>,
    /// Wait for the answer, 100s unless a duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = parse_duration)]
    wait: Option<TimeSpan>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    empty_ok: EmptyOkOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: AskArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = thread_and_text(
        || context.app().held_thread(),
        words,
        args.question_file.is_some() || args.message.is_given(),
    )?;
    let question = context.text_source().read_required(
        "QUESTION",
        args.message.text_or(text.as_deref()),
        args.question_file.as_deref(),
    )?;
    check_entries("--option", &args.options)?;
    if let Some(default) = &args.default {
        check_not_empty("--default", default)?;
    }
    let request = AskQuestion {
        thread,
        token: args.token.read_token(context, thread)?,
        question,
        options: args.options,
        default: args.default,
        default_after: args.default_after,
        wait: args.wait,
        empty_ok: args.empty_ok.empty_ok,
    };
    context.answer(&request, &args.repeatable)
}
