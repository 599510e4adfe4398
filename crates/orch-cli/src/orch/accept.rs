//! `orch accept`.

use std::path::PathBuf;

use orch_scheduler::TaskSelector;
use orch_scheduler::judge::{LeadVerdict, judge_attempt};

use super::naming::NamedRun;
use super::task::{ChangeOptions, run_task_change};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_task;

/// Accept a reported attempt by hand, whatever its checks say
///
/// Its checks are shown as `overridden`. In a run with `--done-when integrated`, `orch integrate` merges it
/// next.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch accept parser --reason 'The failing test is known to be flaky.'")]
pub struct AcceptArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// A commit to accept instead of the reported one; must descend from the attempt's base
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// The reason; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

/// Runs the command.
///
/// # Errors
/// No attempt was reported, there is no such commit, or the store failed.
pub fn run(
    args: AcceptArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let task = run.resolve_task(args.task, context)?;
    let reason =
        context.text_source().read_text("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task))
        .with_optional("commit", args.commit.as_ref())
        .with_optional("reason", reason.as_ref());
    let verdict = LeadVerdict::Accept { commit: args.commit, reason };
    run_task_change(context, &args.manner, fingerprint, |session, receipt| {
        judge_attempt(session, receipt, &who, &task, &verdict)
    })
}
