//! `orch log`.

use orch_contract::orch::log::LogAnswer;
use orch_contract::{Code, ErrorView};
use orch_core::limit;
use orch_scheduler::AttemptRef;
use orch_scheduler::log::{self, Follow, Log, Tail};

use super::naming::{NamedRun, attempt, attempt_text, text};
use crate::arguments::list_limit;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply, Written};

/// Show what the worker of an attempt printed
///
/// The end of it is shown as it is; on a terminal nothing in it moves the cursor or paints. Logs are kept of workers
/// that `orch drive` or `inbox run` started: the newest 8 to 16 MiB of each.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch log parser --follow\n  orch log ship/parser --attempt 2 --all")]
pub struct Args {
    /// The task, KEY or RUN/KEY, or one attempt at it, KEY@N or RUN/KEY@N
    #[arg(value_name = "TASK", value_parser = attempt)]
    task: AttemptRef,
    /// Which attempt; the last one when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Go on with what is printed from now on, until the worker has ended
    #[arg(long)]
    follow: bool,
    /// Show at most this many lines, the last ones
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = list_limit)]
    limit: u32,
    /// Show everything that is kept
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// How long a line is on average at most: longer ones are not shown whole unless everything is asked for.
const LINE_BYTES: u64 = 400;

/// How much of a line that does not end is held back.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// Runs the command.
///
/// # Errors
/// There is no such attempt, its log cannot be read, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let wanted = wanted(&args, context, run)?;
    let found = log::find(context.session()?, &wanted)?.ok_or_else(|| missing(&wanted))?;
    let (lines, bytes_max) =
        if args.all { (None, u64::MAX) } else { (Some(args.limit), u64::from(args.limit) * LINE_BYTES) };
    let tail = log::tail(&found, lines, bytes_max)?;
    let document = context.wants_document();
    if !found.kept && !args.follow {
        let name = &found.attempt;
        let said = format!("{name} has no log: its worker was not started by `orch drive` or `inbox run`.");
        if document { context.warn(said) } else { context.progress(&said) }
    }
    if !document && tail.skipped_bytes > 0 {
        let skipped = tail.skipped_bytes;
        context.progress(&format!("{skipped} bytes come before this: orch log {} --all", found.attempt));
    }
    if args.follow {
        return follow(context, &found, tail, document);
    }
    if document {
        let shown = answer(&found, &tail.bytes, tail.skipped_bytes, found.ended);
        return Ok(Reply::new(shown).into());
    }
    let _ = context.output(&tail.bytes);
    Ok(Outcome::Streamed)
}

fn wanted(args: &Args, context: &Context<'_>, run: &NamedRun) -> Result<AttemptRef, Failure> {
    let mut wanted = run.attempt(args.task.clone(), context)?;
    match (wanted.number, args.attempt) {
        (Some(one), Some(other)) if one != other => {
            return Err(Failure::invalid("--attempt", format!("Two attempts are named, {one} and {other}.")));
        }
        (named, option) => wanted.number = named.or(option),
    }
    Ok(wanted)
}

fn missing(wanted: &AttemptRef) -> Failure {
    let task = text(&wanted.task);
    let message = match wanted.number {
        Some(_) => format!("There is no attempt {}.", attempt_text(wanted)),
        None => format!("There was no attempt at {task} yet."),
    };
    ErrorView::new(Code::AttemptNotFound, message).hint(format!("orch task show {task}")).into()
}

/// Prints the end, and then what comes.
fn follow(context: &mut Context<'_>, found: &Log, tail: Tail, document: bool) -> Result<Outcome, Failure> {
    let mut held = Held(tail.bytes.clone());
    let mut skipped = tail.skipped_bytes;
    let mut follow = Follow::new(context.session()?, found, tail);
    loop {
        let next = follow.next(context.session()?)?;
        let ended = next.is_none();
        let piece = match next {
            Some(more) => held.add(&more),
            None => std::mem::take(&mut held.0),
        };
        let written = if document && (ended || !piece.is_empty()) {
            context.stream(answer(found, &piece, std::mem::take(&mut skipped), ended))
        } else {
            context.output(&piece)
        };
        if ended || written != Written::Whole {
            return Ok(Outcome::Streamed);
        }
    }
}

/// The beginning of a line that is not whole yet: cut anywhere, neither its characters nor its escapes would be seen
/// for what they are.
struct Held(Vec<u8>);

impl Held {
    /// Takes more, and gives what can be shown of it.
    fn add(&mut self, more: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(more);
        let whole = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let shown = if whole == 0 && self.0.len() > HELD_BYTES_MAX { self.0.len() } else { whole };
        self.0.drain(..shown).collect()
    }
}

fn answer(log: &Log, bytes: &[u8], skipped_bytes: u64, ended: bool) -> LogAnswer {
    LogAnswer {
        attempt: log.attempt.to_string(),
        log: log.kept.then(|| log.file.display().to_string()),
        document: String::from_utf8_lossy(bytes).into_owned(),
        skipped_bytes,
        ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_when_they_are_whole() {
        let mut held = Held(b"be".to_vec());
        assert_eq!(held.add(b"gun"), b"");
        assert_eq!(held.add(b" here\nand"), b"begun here\n");
        assert_eq!(held.0, b"and");
        let endless = vec![b'x'; HELD_BYTES_MAX];
        assert_eq!(held.add(&endless).len(), 3 + HELD_BYTES_MAX);
        assert!(held.0.is_empty());
    }
}
