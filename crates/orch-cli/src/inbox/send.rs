//! `inbox send`: begins a thread, or adds a message to one.

use std::path::PathBuf;

use orch_contract::inbox::SendResponse;
use orch_contract::{MessageOrSummary, ThreadView};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;
use orch_inbox::send::{self, SendOutcome, SendRequest};

use crate::arguments::{self, DetailOption, RequestIdOption};
use crate::context::{CommandRuntime, current_time};
use crate::inbox::value_parsers;
use crate::respond::CommandReply;
use crate::text_source::check_not_empty;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Send work or a note to an agent
///
/// Starts a new thread, or with --thread adds a note to an existing one, where a subject without a body is
/// the note's text.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox send --to builders --from lead --subject 'Build it' --body - <<'EOF'\n  \
    Use the `release` profile.\n  EOF"
)]
pub struct SendArgs {
    /// The recipient: an agent, or a queue shared by several agents
    #[arg(long, value_name = "AGENT", value_parser = arguments::parse_slug)]
    to: Option<Slug>,
    /// The sender [default: you]
    #[arg(long, value_name = "AGENT", value_parser = arguments::parse_slug)]
    from: Option<Slug>,
    /// The subject, one line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    subject: Option<String>,
    /// The text; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    /// Work to be claimed, or a note to be read [default: work]
    #[arg(long, value_parser = value_parsers::thread_kind_parser())]
    kind: Option<ThreadKind>,
    /// Add a note to this thread
    #[arg(long, value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    /// The priority, 0 (most urgent) to 4 [default: 2]
    #[arg(long, value_name = "0-4", value_parser = arguments::parse_priority)]
    priority: Option<u8>,
    /// The lease of a claim, 1s to 24h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = arguments::parse_lease)]
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

/// Sends.
///
/// # Errors
/// An argument is wrong, the thread is closed or unknown, or the store failed.
pub fn run(
    args: &SendArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<SendResponse>, AppError> {
    let request = match args.thread {
        Some(thread) => follow_up_request(args, thread, context)?,
        None => new_thread_request(args, context)?,
    };
    let full = args.detail.full;
    let view = |sent: &SendOutcome| SendResponse {
        thread: ThreadView::from_thread(&sent.thread.thread, sent.thread.question.as_ref(), current_time()),
        message: MessageOrSummary::from_message(&sent.message, full),
    };
    context.run_change(&args.repeatable, send_fingerprint(&request), view, |session, receipt| {
        send::send_message(session, receipt, &request)
    })
}

fn new_thread_request(args: &SendArgs, context: &mut CommandRuntime<'_>) -> Result<SendRequest, AppError> {
    let from = context.calling_agent_or("--from", args.from.as_ref())?;
    let to = args.to.clone().ok_or_else(|| AppError::invalid_argument("--to", "--to is missing."))?;
    let subject = context.text_source().read_title("--subject", args.subject.as_deref())?;
    let body = context.text_source().read_text("--body", args.body.as_deref(), args.body_file.as_deref())?;
    Ok(SendRequest::NewThread {
        from,
        to,
        subject,
        body: body.unwrap_or_default(),
        kind: args.kind.unwrap_or(ThreadKind::Work),
        priority: args.priority.unwrap_or(limit::PRIORITY_DEFAULT),
        lease: args.lease.unwrap_or(LeaseLength::DEFAULT),
        payload: read_payload(context, args.payload.as_deref(), args.payload_file.as_ref())?,
    })
}

fn follow_up_request(
    args: &SendArgs,
    thread: ThreadId,
    context: &mut CommandRuntime<'_>,
) -> Result<SendRequest, AppError> {
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
    let from = context.calling_agent_or("--from", args.from.as_ref())?;
    let subject = context.text_source().read_text("--subject", args.subject.as_deref(), None)?;
    let body = context.text_source().read_text("--body", args.body.as_deref(), args.body_file.as_deref())?;
    let payload = read_payload(context, args.payload.as_deref(), args.payload_file.as_ref())?;
    if subject.is_some() && body.is_some() {
        context.add_warning(format!("Thread {thread} keeps its subject; only the body was added to it."));
    }
    let body = body.or(subject).unwrap_or_default();
    if payload.is_none() {
        check_not_empty("--body", &body)?;
    }
    Ok(SendRequest::AddNote { thread, from, to: args.to.clone(), body, payload })
}

/// A JSON document from the command line, stdin or a file, checked and kept as given.
///
/// # Errors
/// It cannot be read, or is no JSON.
pub fn read_payload(
    context: &mut CommandRuntime<'_>,
    given: Option<&str>,
    file: Option<&PathBuf>,
) -> Result<Option<String>, AppError> {
    let text = context.text_source().read_text("--payload", given, file.map(PathBuf::as_path))?;
    if let Some(text) = &text {
        serde_json::from_str::<serde_json::Value>(text).map_err(|error| {
            AppError::invalid_argument("--payload", format!("--payload is not a JSON document: {error}."))
        })?;
    }
    Ok(text)
}

fn send_fingerprint(request: &SendRequest) -> RequestFingerprint {
    let fingerprint = RequestFingerprint::for_command("inbox send");
    match request {
        SendRequest::NewThread { from, to, subject, body, kind, priority, lease, payload } => fingerprint
            .with_argument("from", from)
            .with_argument("to", to)
            .with_argument("subject", subject)
            .with_argument("body", body)
            .with_argument("kind", kind.name())
            .with_argument("priority", priority)
            .with_argument("lease_ms", lease.span().0)
            .with_optional("payload", payload.as_ref()),
        SendRequest::AddNote { thread, from, to, body, payload } => fingerprint
            .with_argument("thread", thread)
            .with_argument("from", from)
            .with_optional("to", to.as_ref())
            .with_argument("body", body)
            .with_optional("payload", payload.as_ref()),
    }
}
