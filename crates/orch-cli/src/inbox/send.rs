//! `inbox send`: begins a thread, or adds a message to one.

use std::path::PathBuf;

use orch_contract::inbox::SendAnswer;
use orch_contract::{MessageShown, Thread};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;
use orch_inbox::send::{self, Send, Sent};

use crate::arguments::{self, Detail, Repeatable};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::word;
use crate::respond::Reply;
use crate::text_source::not_empty;

/// Send work or a note to an agent
///
/// Begins a new thread; with --thread it adds a note to that one, which keeps its own subject: a subject without a
/// body is then the note's text.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox send --to builders --from lead --subject 'Build it' --body - <<'EOF'\n  \
    Use the `release` profile.\n  EOF"
)]
pub struct Args {
    /// Who it is for: an agent, or a queue that several agents share
    #[arg(long, value_name = "AGENT", value_parser = arguments::slug)]
    to: Option<Slug>,
    /// Who sends it; you when not given
    #[arg(long, value_name = "AGENT", value_parser = arguments::slug)]
    from: Option<Slug>,
    /// What it is about, in one line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    subject: Option<String>,
    /// The text; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    /// Work to be claimed, or a note to be read; work when not given
    #[arg(long, value_parser = word::thread_kind())]
    kind: Option<ThreadKind>,
    /// Add a note to this thread
    #[arg(long, value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    /// 0 (most urgent) to 4; 2 when not given
    #[arg(long, value_name = "0-4", value_parser = arguments::priority)]
    priority: Option<u8>,
    /// How long a claim lasts without a sign of life: 1s to 24h; 15m when not given
    #[arg(long, value_name = "DURATION", value_parser = arguments::lease)]
    lease: Option<LeaseLength>,
    /// A JSON document for programs; `-` reads stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Read the JSON document from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    payload_file: Option<PathBuf>,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Sends.
///
/// # Errors
/// An argument is wrong, the thread is closed or unknown, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<SendAnswer>, Failure> {
    let request = match args.thread {
        Some(thread) => more(args, thread, context)?,
        None => new(args, context)?,
    };
    let full = args.detail.full;
    let view = |sent: &Sent| SendAnswer {
        thread: Thread::of(&sent.thread.thread, sent.thread.question.as_ref(), now()),
        message: MessageShown::of(&sent.message, full),
    };
    context.change(&args.repeatable, fingerprint(&request), view, |session, receipt| {
        send::send(session, receipt, &request)
    })
}

fn new(args: &Args, context: &mut Context<'_>) -> Result<Send, Failure> {
    let from = context.agent_or("--from", args.from.as_ref())?;
    let to = args.to.clone().ok_or_else(|| Failure::invalid("--to", "--to is missing."))?;
    let subject = context.texts().title("--subject", args.subject.as_deref())?;
    let body = context.texts().read("--body", args.body.as_deref(), args.body_file.as_deref())?;
    Ok(Send::New {
        from,
        to,
        subject,
        body: body.unwrap_or_default(),
        kind: args.kind.unwrap_or(ThreadKind::Work),
        priority: args.priority.unwrap_or(limit::PRIORITY_DEFAULT),
        lease: args.lease.unwrap_or(LeaseLength::DEFAULT),
        payload: payload(context, args.payload.as_deref(), args.payload_file.as_ref())?,
    })
}

fn more(args: &Args, thread: ThreadId, context: &mut Context<'_>) -> Result<Send, Failure> {
    for (option, given) in [
        ("--priority", args.priority.is_some()),
        ("--lease", args.lease.is_some()),
        ("--kind", args.kind == Some(ThreadKind::Work)),
    ] {
        if given {
            let message =
                format!("{option} belongs to a new thread; with --thread a note is added to {thread}.");
            return Err(Failure::invalid(option, message));
        }
    }
    let from = context.agent_or("--from", args.from.as_ref())?;
    let subject = context.texts().read("--subject", args.subject.as_deref(), None)?;
    let body = context.texts().read("--body", args.body.as_deref(), args.body_file.as_deref())?;
    let payload = payload(context, args.payload.as_deref(), args.payload_file.as_ref())?;
    if subject.is_some() && body.is_some() {
        context.warn(format!("Thread {thread} keeps its subject; only the body was added to it."));
    }
    let body = body.or(subject).unwrap_or_default();
    if payload.is_none() {
        not_empty("--body", &body)?;
    }
    Ok(Send::More { thread, from, to: args.to.clone(), body, payload })
}

/// A JSON document from the command line, stdin or a file, checked and kept as given.
///
/// # Errors
/// It cannot be read, or is no JSON.
pub fn payload(
    context: &mut Context<'_>,
    given: Option<&str>,
    file: Option<&PathBuf>,
) -> Result<Option<String>, Failure> {
    let text = context.texts().read("--payload", given, file.map(PathBuf::as_path))?;
    if let Some(text) = &text {
        serde_json::from_str::<serde_json::Value>(text).map_err(|error| {
            Failure::invalid("--payload", format!("--payload is not a JSON document: {error}."))
        })?;
    }
    Ok(text)
}

fn fingerprint(request: &Send) -> Fingerprint {
    let fingerprint = Fingerprint::of("inbox send");
    match request {
        Send::New { from, to, subject, body, kind, priority, lease, payload } => fingerprint
            .with("from", from)
            .with("to", to)
            .with("subject", subject)
            .with("body", body)
            .with("kind", kind.name())
            .with("priority", priority)
            .with("lease_ms", lease.span().0)
            .maybe("payload", payload.as_ref()),
        Send::More { thread, from, to, body, payload } => fingerprint
            .with("thread", thread)
            .with("from", from)
            .maybe("to", to.as_ref())
            .with("body", body)
            .maybe("payload", payload.as_ref()),
    }
}
