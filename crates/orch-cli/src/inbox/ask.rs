//! `inbox ask`: a question that blocks the work until it is answered.

use std::path::PathBuf;

use orch_contract::Message;
use orch_contract::inbox::AskAnswer;
use orch_core::time::Span;
use orch_inbox::ask::{self, Ask, Asked};
use orch_inbox::{Awaited, Error};

use crate::arguments::{self, EmptyOk, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder::{self, Token};
use crate::respond::Reply;
use crate::text_source::{entries, not_empty};

/// Ask a question; the work is blocked until it is answered
///
/// Asking the same again attaches to the open question, or returns its answer. With INBOX_THREAD set, THREAD is
/// left out.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox ask th-1 --token TOKEN 'Which port?' --option 80 --option 8080 --wait 5m"
)]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// What to ask; `-` reads stdin
    #[arg(value_name = "QUESTION", allow_hyphen_values = true)]
    second: Option<String>,
    /// Read the question from a file
    #[arg(long, value_name = "FILE")]
    question_file: Option<PathBuf>,
    /// An answer that is offered; may be repeated
    #[arg(long = "option", value_name = "TEXT", allow_hyphen_values = true)]
    options: Vec<String>,
    /// The answer to go on with when nobody answers
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    default: Option<String>,
    /// When the default becomes the answer
    #[arg(long, value_name = "DURATION", requires = "default", value_parser = arguments::duration)]
    default_after: Option<Span>,
    /// Wait for the answer; 100s when no duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = arguments::duration)]
    wait: Option<Span>,
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    empty_ok: EmptyOk,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Asks.
///
/// # Errors
/// The token is not the live one, another question is open, the wait timed out, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<AskAnswer>, Failure> {
    let request = request(args, context)?;
    let empty_ok = args.empty_ok.empty_ok;
    context.change(&args.repeatable, fingerprint(&request), view, |session, receipt| {
        match ask::ask(session, receipt, &request) {
            // The question stays open; asking it again attaches to it without waiting.
            Err(Error::TimedOut(Awaited::Answer { .. })) if empty_ok => {
                ask::ask(session, receipt, &Ask { wait: None, ..request.clone() })
            }
            asked => asked,
        }
    })
}

fn request(args: &Args, context: &mut Context<'_>) -> Result<Ask, Failure> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = holder::thread_and_text(context.environment(), words, args.question_file.is_some())?;
    let question = context.texts().required("QUESTION", text.as_deref(), args.question_file.as_deref())?;
    entries("--option", &args.options)?;
    if let Some(default) = &args.default {
        not_empty("--default", default)?;
    }
    Ok(Ask {
        thread,
        token: args.token.read(context)?,
        question,
        options: args.options.clone(),
        default: args.default.clone(),
        default_after: args.default_after,
        wait: args.wait,
    })
}

fn fingerprint(request: &Ask) -> Fingerprint {
    Fingerprint::of("inbox ask")
        .with("thread", request.thread)
        .with("token", &request.token)
        .with("question", &request.question)
        .list("option", &request.options)
        .maybe("default", request.default.as_ref())
        .maybe("default_after_ms", request.default_after.map(|span| span.0))
}

fn view(asked: &Asked) -> AskAnswer {
    AskAnswer { question: Message::of(&asked.question), answer: asked.answer.as_ref().map(Message::of) }
}
