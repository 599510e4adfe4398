//! `orch answer`.

use std::path::PathBuf;

use orch_contract::MessageOrSummary;
use orch_contract::orch::tell::AnswerResponse;
use orch_scheduler::TaskSelector;
use orch_scheduler::answer::{AnswerOutcome, answer_question};

use super::naming::NamedRun;
use super::task::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_task;
use orch_app::orch::view;

/// Answer the open question of a task's worker
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct AnswerArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The answer; `-` reads stdin
    #[arg(value_name = "BODY", required_unless_present = "body_file", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the answer from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch answer parser - <<'EOF'
  Both: read `v1`, write `v2`.
  EOF";

/// Runs the command.
///
/// # Errors
/// No question is open, or the store failed.
pub fn run(
    args: AnswerArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let task = run.resolve_task(args.task, context)?;
    let body =
        context.text_source().read_required("BODY", args.body.as_deref(), args.body_file.as_deref())?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task))
        .with_argument("body", &body);
    let full = args.manner.detail.full;
    let mut reply = context.run_change(
        &args.manner.repeatable,
        fingerprint,
        |outcome: &AnswerOutcome| AnswerResponse {
            task: view::task_view(&outcome.task),
            message: MessageOrSummary::from_message(&outcome.message, full),
        },
        |session, receipt| answer_question(session, receipt, &who, &task, &body),
    )?;
    view::add_long_texts(context.open_session()?, &mut reply.data.task, full)?;
    Ok(reply.into())
}
