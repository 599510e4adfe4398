//! `orch log`.

use orch_app::naming::parse_attempt;
use orch_app::orch::log::{CheckChoice, LogStream};
use orch_app::values::parse_list_limit;
use orch_app::{AppError, AttemptSelector, Reply};
use orch_core::limit;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, WriteOutcome};

/// Show the output of an attempt's worker, or of a check
///
/// Shows the end of the log; on a terminal control sequences are escaped. Logs exist for workers started by
/// `orch drive` or `inbox run`: the newest 8 to 16 MiB of each.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch log parser --follow\n  orch log ship/parser --attempt 2 --all\n  orch log parser --check"
)]
pub(super) struct LogArgs {
    /// The task, KEY or RUN/KEY, or one attempt at it, KEY@N or RUN/KEY@N
    #[arg(value_name = "TASK", value_parser = parse_attempt)]
    task: AttemptSelector,
    /// The attempt [default: the last one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Keep printing new output until the worker ends
    #[arg(short, long)]
    follow: bool,
    /// Show the output of the attempt's check number N, as `orch task show` lists them, instead of the worker's
    /// [default: the last check that did not pass, or else the last one]
    #[arg(long, value_name = "N", num_args = 0..=1, conflicts_with = "follow", value_parser = clap::value_parser!(u32).range(1..))]
    check: Option<Option<u32>>,
    /// Show at most this many lines from the end
    #[arg(short = 'n', long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    limit: u32,
    /// Show the whole log
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

pub(super) fn run(args: LogArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let attempt = requested_attempt(&args, context)?;
    let log =
        context.app().open_log(&attempt, (!args.all).then_some(args.limit), args.check.map(CheckChoice))?;
    let as_json = context.is_json_requested();
    if !log.is_kept() && !args.follow {
        let name = log.attempt();
        let message = if log.is_of_check() {
            format!("This check of {name} has no log: it is built in.")
        } else {
            format!("{name} has no log: its worker was not started by `orch drive` or `inbox run`.")
        };
        if as_json { context.add_warning(message) } else { context.print_progress(&message) }
    }
    if !as_json && log.skipped_bytes() > 0 {
        let (skipped, name) = (log.skipped_bytes(), log.attempt());
        let of_check = match args.check {
            None => String::new(),
            Some(None) => " --check".to_owned(),
            Some(Some(number)) => format!(" --check {number}"),
        };
        context.print_progress(&format!("{skipped} bytes come before this: orch log {name}{of_check} --all"));
    }
    if args.follow {
        let stream = log.follow(context.app())?;
        return follow_log(context, stream, as_json);
    }
    if as_json {
        return Ok(Reply::new(log.response()).into());
    }
    let _ = context.printer().print_foreign_lines(log.bytes());
    Ok(CommandOutcome::Streamed)
}

fn requested_attempt(args: &LogArgs, context: &mut CommandRuntime<'_>) -> Result<AttemptSelector, AppError> {
    let mut attempt = context.app().resolve_attempt(args.task.clone())?;
    match (attempt.number, args.attempt) {
        (Some(one), Some(other)) if one != other => {
            let message = format!("Two attempts are named, {one} and {other}.");
            return Err(AppError::invalid_argument("--attempt", message));
        }
        (named, option) => attempt.number = named.or(option),
    }
    Ok(attempt)
}

/// Prints the last lines and everything after them.
fn follow_log(
    context: &mut CommandRuntime<'_>,
    mut stream: LogStream,
    as_json: bool,
) -> Result<CommandOutcome, AppError> {
    loop {
        let part = stream.next_part(context.app())?;
        let written = if as_json && (part.ended || !part.bytes.is_empty()) {
            context.print_stream_document(stream.response(&part))
        } else {
            context.printer().print_foreign_lines(&part.bytes)
        };
        if part.ended || written != WriteOutcome::Complete {
            return Ok(CommandOutcome::Streamed);
        }
    }
}
