//! `orch log`.

use orch_contract::orch::log::LogResponse;
use orch_contract::{ErrorCode, ErrorView};
use orch_core::limit;
use orch_scheduler::AttemptSelector;
use orch_scheduler::log::{self, AttemptLog, LogFollower, LogTail};

use super::naming::NamedRun;
use crate::arguments::parse_list_limit;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply, WriteOutcome};
use orch_app::AppError;
use orch_app::naming::{attempt_text, parse_attempt, task_text};

/// Show the output of an attempt's worker
///
/// Shows the end of the log; on a terminal control sequences are escaped. Logs exist for workers started by
/// `orch drive` or `inbox run`: the newest 8 to 16 MiB of each.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch log parser --follow\n  orch log ship/parser --attempt 2 --all")]
pub struct LogArgs {
    /// The task, KEY or RUN/KEY, or one attempt at it, KEY@N or RUN/KEY@N
    #[arg(value_name = "TASK", value_parser = parse_attempt)]
    task: AttemptSelector,
    /// The attempt [default: the last one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Keep printing new output until the worker ends
    #[arg(long)]
    follow: bool,
    /// Show at most this many lines from the end
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
    /// Show the whole log
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
pub fn run(
    args: LogArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let wanted = requested_attempt(&args, context, run)?;
    let found = log::find_log(context.open_session()?, &wanted)?.ok_or_else(|| missing_log(&wanted))?;
    let (lines, bytes_max) =
        if args.all { (None, u64::MAX) } else { (Some(args.limit), u64::from(args.limit) * LINE_BYTES) };
    let tail = log::tail_log(&found, lines, bytes_max)?;
    let document = context.is_document_requested();
    if !found.kept && !args.follow {
        let name = &found.attempt;
        let said = format!("{name} has no log: its worker was not started by `orch drive` or `inbox run`.");
        if document { context.add_warning(said) } else { context.print_progress(&said) }
    }
    if !document && tail.skipped_bytes > 0 {
        let skipped = tail.skipped_bytes;
        context
            .print_progress(&format!("{skipped} bytes come before this: orch log {} --all", found.attempt));
    }
    if args.follow {
        return follow_log(context, &found, tail, document);
    }
    if document {
        let shown = log_response(&found, &tail.bytes, tail.skipped_bytes, found.ended);
        return Ok(CommandReply::new(shown).into());
    }
    let _ = context.print_foreign_lines(&tail.bytes);
    Ok(CommandOutcome::Streamed)
}

fn requested_attempt(
    args: &LogArgs,
    context: &CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<AttemptSelector, AppError> {
    let mut wanted = run.resolve_attempt(args.task.clone(), context)?;
    match (wanted.number, args.attempt) {
        (Some(one), Some(other)) if one != other => {
            return Err(AppError::invalid_argument(
                "--attempt",
                format!("Two attempts are named, {one} and {other}."),
            ));
        }
        (named, option) => wanted.number = named.or(option),
    }
    Ok(wanted)
}

fn missing_log(wanted: &AttemptSelector) -> AppError {
    let task = task_text(&wanted.task);
    let message = match wanted.number {
        Some(_) => format!("There is no attempt {}.", attempt_text(wanted)),
        None => format!("There was no attempt at {task} yet."),
    };
    ErrorView::new(ErrorCode::AttemptNotFound, message).with_hint(format!("orch task show {task}")).into()
}

/// Prints the end, and then what comes.
fn follow_log(
    context: &mut CommandRuntime<'_>,
    found: &AttemptLog,
    tail: LogTail,
    document: bool,
) -> Result<CommandOutcome, AppError> {
    let mut held = PartialLine(tail.bytes.clone());
    let mut skipped = tail.skipped_bytes;
    let mut follow = LogFollower::new(context.open_session()?, found, tail);
    loop {
        let next = follow.next_chunk(context.open_session()?)?;
        let ended = next.is_none();
        let piece = match next {
            Some(more) => held.push_bytes(&more),
            None => std::mem::take(&mut held.0),
        };
        let written = if document && (ended || !piece.is_empty()) {
            context.print_stream_document(log_response(found, &piece, std::mem::take(&mut skipped), ended))
        } else {
            context.print_foreign_lines(&piece)
        };
        if ended || written != WriteOutcome::Complete {
            return Ok(CommandOutcome::Streamed);
        }
    }
}

/// The beginning of a line that is not whole yet: cut anywhere, neither its characters nor its escapes would be seen
/// for what they are.
struct PartialLine(Vec<u8>);

impl PartialLine {
    /// Takes more, and gives what can be shown of it.
    fn push_bytes(&mut self, more: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(more);
        let whole = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let shown = if whole == 0 && self.0.len() > HELD_BYTES_MAX { self.0.len() } else { whole };
        self.0.drain(..shown).collect()
    }
}

fn log_response(log: &AttemptLog, bytes: &[u8], skipped_bytes: u64, ended: bool) -> LogResponse {
    LogResponse {
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
        let mut held = PartialLine(b"be".to_vec());
        assert_eq!(held.push_bytes(b"gun"), b"");
        assert_eq!(held.push_bytes(b" here\nand"), b"begun here\n");
        assert_eq!(held.0, b"and");
        let endless = vec![b'x'; HELD_BYTES_MAX];
        assert_eq!(held.push_bytes(&endless).len(), 3 + HELD_BYTES_MAX);
        assert!(held.0.is_empty());
    }
}
