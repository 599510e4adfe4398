//! `inbox send`: begins a thread, or adds a message to one.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::{OutgoingMessage, SendMessage};
use orch_app::values::{parse_lease, parse_priority, parse_slug, parse_thread_id};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;

use crate::arguments::{DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::value_parsers;
use crate::respond::CommandOutcome;
use crate::text_source::check_not_empty;

/// Send work or a note to an agent
///
/// Starts a new thread, or with --thread adds a note to an existing one, where a subject without a body is
/// the note's text.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox send --to builders --from lead --subject 'Build it' --body - <<'EOF'\n  \
    Use the `release` profile.\n  EOF"
)]
pub(super) struct SendArgs {
    /// The recipient: an agent, or a queue shared by several agents
    #[arg(long, value_name = "AGENT", value_parser = parse_slug)]
    to: Option<Slug>,
    /// The sender [default: you]
    #[arg(long, value_name = "AGENT", value_parser = parse_slug)]
    from: Option<Slug>,
    /// The subject, one line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    subject: Option<String>,
    /// The text; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    /// Work to be claimed, or a note to be read [default: work]
    #[arg(long, value_parser = value_parsers::thread_kind_parser())]
    kind: Option<ThreadKind>,
    /// Add a note to this thread
    #[arg(long, value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    /// The priority, 0 (most urgent) to 4 [default: 2]
    #[arg(long, value_name = "0-4", value_parser = parse_priority)]
    priority: Option<u8>,
    /// The lease of a claim, 1s to 24h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = parse_lease)]
    lease: Option<LeaseLength>,
    /// A JSON document for programs; `-` reads stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Read the JSON document from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    payload_file: Option<PathBuf>,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: SendArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let message = match args.thread {
        Some(thread) => note(&args, thread, context)?,
        None => new_thread(&args, context)?,
    };
    context.answer(&SendMessage { message, full: args.detail.full }, &args.repeatable)
}

fn new_thread(args: &SendArgs, context: &mut CommandRuntime<'_>) -> Result<OutgoingMessage, AppError> {
    let from = context.app().calling_agent_or("--from", args.from.as_ref())?;
    let to = args.to.clone().ok_or_else(|| AppError::invalid_argument("--to", "--to is missing."))?;
    let subject = context.text_source().read_title("--subject", args.subject.as_deref())?;
    let body = context.text_source().read_text("--body", args.body.as_deref(), args.body_file.as_deref())?;
    let payload =
        context.text_source().read_payload(args.payload.as_deref(), args.payload_file.as_deref())?;
    Ok(OutgoingMessage::NewThread {
        from,
        to,
        subject,
        body: body.unwrap_or_default(),
        kind: args.kind.unwrap_or(ThreadKind::Work),
        priority: args.priority.unwrap_or(limit::PRIORITY_DEFAULT),
        lease: args.lease.unwrap_or(LeaseLength::DEFAULT),
        payload,
    })
}

fn note(
    args: &SendArgs,
    thread: ThreadId,
    context: &mut CommandRuntime<'_>,
) -> Result<OutgoingMessage, AppError> {
    for (option, given) in [
        ("--priority", args.priority.is_some()),
        ("--lease", args.lease.is_some()),
        ("--kind", args.kind == Some(ThreadKind::Work)),
    ] {
        if given {
            let message =
                format!("{option} belongs to a new thread; with --thread a note is added to {thread}.");
            return Err(AppError::invalid_argument(option, message));
        }
    }
    let from = context.app().calling_agent_or("--from", args.from.as_ref())?;
    let subject = context.text_source().read_text("--subject", args.subject.as_deref(), None)?;
    let body = context.text_source().read_text("--body", args.body.as_deref(), args.body_file.as_deref())?;
    let payload =
        context.text_source().read_payload(args.payload.as_deref(), args.payload_file.as_deref())?;
    if subject.is_some() && body.is_some() {
        context.add_warning(format!("Thread {thread} keeps its subject; only the body was added to it."));
    }
    let body = body.or(subject).unwrap_or_default();
    if payload.is_none() {
        check_not_empty("--body", &body)?;
    }
    Ok(OutgoingMessage::Note { thread, from, to: args.to.clone(), body, payload })
}
