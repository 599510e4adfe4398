//! `inbox suggest`: proposes a task to the lead.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::SuggestTask;
use orch_app::values::{parse_slug, parse_thread_id};
use orch_core::id::{Slug, ThreadId};

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::inbox::holder::TokenOptions;
use crate::respond::CommandOutcome;

/// Propose a task to the lead
///
/// The work continues; `orch task add --from MESSAGE` takes the suggestion. An attempt can make 20.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox suggest 'Port the old tests' --after parser --spec 'They are in test/old.'"
)]
pub(super) struct SuggestArgs {
    /// The title of the task, one line; `-` reads stdin
    #[arg(value_name = "TITLE", allow_hyphen_values = true)]
    title: String,
    /// What its worker must know; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    spec: Option<String>,
    /// Read the spec from a file
    #[arg(long, value_name = "FILE", conflicts_with = "spec")]
    spec_file: Option<PathBuf>,
    /// A task that it should wait for; may be repeated
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = parse_slug)]
    after: Vec<Slug>,
    /// The thread [env: INBOX_THREAD]
    #[arg(long, value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: SuggestArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    let title = context.text_source().read_title("TITLE", Some(&args.title))?;
    let spec = context.text_source().read_text("--spec", args.spec.as_deref(), args.spec_file.as_deref())?;
    let token = args.token.read_token(context, thread)?;
    context.answer(&SuggestTask { thread, token, title, spec, after: args.after }, &args.repeatable)
}
