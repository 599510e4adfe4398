//! `orch verify`.

use orch_contract::orch::judgement::VerifyResponse;
use orch_contract::{AttemptView, CheckView};
use orch_scheduler::TaskSelector;
use orch_scheduler::verify::{VerifyOutcome, verify_task};

use super::naming::NamedRun;
use super::task::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_task;
use orch_app::orch::view;

/// Run the checks on a reported attempt
///
/// The run's checks run first, then the task's, in the attempt's worktree. If a check fails, the attempt is
/// rejected, the task is retried, and the next attempt gets the reason. The exit status is then 4.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch verify parser")]
pub struct VerifyArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    #[command(flatten)]
    manner: ChangeOptions,
}

/// Runs the command.
///
/// # Errors
/// No attempt was reported, a check did not pass, or the store failed.
pub fn run(
    args: VerifyArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let task = run.resolve_task(args.task, context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task));
    context.print_progress(&format!("Running the checks of {} …", naming::task_text(&task)));
    let mut reply =
        context.run_change(&args.manner.repeatable, fingerprint, verify_response, |session, receipt| {
            verify_task(session, receipt, &who, &task)
        })?;
    view::add_long_texts(context.open_session()?, &mut reply.data.task, args.manner.detail.full)?;
    Ok(reply.into())
}

fn verify_response(verified: &VerifyOutcome) -> VerifyResponse {
    VerifyResponse {
        task: view::task_view(&verified.task),
        attempt: AttemptView::from_attempt(&verified.attempt, verified.worktree.as_ref(), None),
        checks: verified.checks.iter().map(CheckView::from_check).collect(),
    }
}
