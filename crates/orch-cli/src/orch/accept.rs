//! `orch accept`.

use std::path::PathBuf;

use orch_app::naming::parse_task;
use orch_app::orch::accept::AcceptAttempt;
use orch_app::{AppError, TaskSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Accept a reported attempt by hand, whatever its checks say
///
/// Its checks are shown as `overridden`. In a run with `--done-when integrated`, `orch integrate` merges it
/// next.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch accept parser --reason 'The failing test is known to be flaky.'")]
pub(super) struct AcceptArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// A commit to accept instead of the reported one; must descend from the attempt's base
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// The reason; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: AcceptArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let reason =
        context.text_source().read_text("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let request = AcceptAttempt { agent, task, commit: args.commit, reason, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
